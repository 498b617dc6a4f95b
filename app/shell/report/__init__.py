"""A report: the page that is open, as one HTML file that works without the app and offline."""

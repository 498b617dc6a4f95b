"""The Score images page."""

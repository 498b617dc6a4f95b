"""The page that scores images."""

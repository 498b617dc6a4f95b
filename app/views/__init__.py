"""One folder a page: its script, its parts, its words, its style."""

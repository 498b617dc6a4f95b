"""One folder per page: its script, its parts, its texts and its style."""

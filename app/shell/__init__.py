"""The frame around every page: navigation, error messages, style sheets."""

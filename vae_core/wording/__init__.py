"""Sentences about results, for the command line and the app.

May import: scoring and everything below.
"""

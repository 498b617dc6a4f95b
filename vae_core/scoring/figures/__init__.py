"""The figures of a score report, one a file."""

"""What is on disk, and what works in the background: run folders, the store, the worker.

May import: everything but cli.
"""

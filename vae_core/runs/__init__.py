"""Run folders, the store of runs, the records of a run, and the background worker.

May import: everything but cli.
"""

"""The figures that a verdict rests on, one per file, and their table.

To add a figure, write one file like ``log_px.py`` and name it in ``table.py``.
"""

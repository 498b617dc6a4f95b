"""Images in: data sets by name, and image files of any kind made ready for a model.

May import: settings and basics.
"""

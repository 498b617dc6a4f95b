"""Images in: data sets by name, and image files of any kind made ready for a model.

For another built-in data set, write a file with a ``StoredDataset`` (:mod:`vae_core.data.stored`)
and add it to the table in :mod:`vae_core.data.catalogue`.

May import: settings and basics.
"""

"""Load data sets by name, and prepare image files of any kind for a model.

To add a built-in data set, write a file with a ``StoredDataset`` (:mod:`vae_core.data.stored`)
and add it to the table in :mod:`vae_core.data.catalogue`.

May import: settings and basics.
"""

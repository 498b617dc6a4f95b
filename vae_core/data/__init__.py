"""Load data sets by name, and prepare image files of any kind for a model.

To add a built-in data set, write a file with a ``StoredDataset`` (:mod:`vae_core.data.stored`)
and add it to the table in :mod:`vae_core.data.catalogue`. Data sets of the user's own are made by
:mod:`vae_core.data.own` and kept by :mod:`vae_core.data.kept`; to add a kind of source, write a
``Source`` (:mod:`vae_core.data.sources.base`) and open it in :mod:`vae_core.data.sources.opening`.

May import: settings and basics.
"""

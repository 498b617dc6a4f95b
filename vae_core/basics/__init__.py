"""Small tools that know nothing of autoencoders: files, paths, devices, seeds, progress.

May import: nothing of vae_core.
"""

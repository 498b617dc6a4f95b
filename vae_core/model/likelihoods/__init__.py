"""Likelihoods p(x|z), one per file. :data:`vae_core.settings.choices.LIKELIHOODS` lists them."""

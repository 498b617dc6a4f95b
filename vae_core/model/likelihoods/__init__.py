"""Likelihoods p(x|z), one a file. :data:`vae_core.settings.choices.LIKELIHOODS` names them."""

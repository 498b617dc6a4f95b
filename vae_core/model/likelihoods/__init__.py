"""Likelihoods p(x|z), one a file, and the table of them."""

"""The VAE model: the prior p(z), the likelihood p(x|z) and the posterior q(z|x).

May import: settings and basics.
"""

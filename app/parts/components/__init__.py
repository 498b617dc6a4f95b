"""Components of our own: a drawing pad, a paste box, the latent walk."""

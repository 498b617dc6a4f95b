"""The page of the latent space."""

"""The page on which one image walks through the VAE."""

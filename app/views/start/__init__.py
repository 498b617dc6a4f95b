"""The Start page: one image goes through the VAE step by step."""

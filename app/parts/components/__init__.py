"""Streamlit components of this app: a drawing pad, a paste box, the latent walk, and others."""

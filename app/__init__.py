"""The laboratory in a browser: Streamlit pages over :mod:`vae_core`. ``python -m app`` starts it."""

"""The laboratory in a browser: Streamlit pages over ``vae_core``; ``python -m app`` starts it."""

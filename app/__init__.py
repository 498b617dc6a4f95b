"""The laboratory in a browser: Streamlit pages over ``vae_core``; ``python -m app`` starts it."""

from vae_core.basics.warned import say_it_elsewhere

say_it_elsewhere()

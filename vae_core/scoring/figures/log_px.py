"""log p̂(x): how probable a model finds an image, by importance sampling."""

from vae_core.scoring.figures.base import Figure

FIGURE = Figure("log_px", "log p(x)", "nats", lambda images: images.log_px, two_sided=True)
"""A plain image scores above every image of the data, so the high end is atypical too."""

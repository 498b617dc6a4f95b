"""log p̂(x), the log-likelihood of an image by importance sampling."""

from vae_core.scoring.figures.base import Figure

FIGURE = Figure("log_px", "log p(x)", "nats", lambda images: images.log_px, two_sided=True)
"""A plain image can score higher than every image of the data, so high values are atypical too."""

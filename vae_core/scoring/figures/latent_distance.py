"""Distance from the posterior mean of an image to that of the nearest training image.

The unit is a standard deviation of the aggregate posterior (:mod:`vae_core.analysis.neighbours`).
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vae_core.scoring.figures.base import Figure

if TYPE_CHECKING:
    from vae_core.scoring.context import ImageContext


def distance(images: "ImageContext") -> Tensor:
    """Measure the distance of each image, (B,), float64; NaN without training latents."""
    if images.latents is None:
        return torch.full((len(images.x),), torch.nan, dtype=torch.float64)
    return images.latents.distance(images.whitened)


FIGURE = Figure(
    "latent_distance",
    "distance to the nearest training latent",
    "σ",
    distance,
    short="latent distance",
)

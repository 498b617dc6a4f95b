"""Directions in a latent space that make an image more like a class.

The direction of a class is the difference of two means of posterior means E[z|x]: over the images
of the class, and over the images that it is compared with (attribute vectors; Larsen et al. 2016,
arXiv 1512.09300, section 3.3; White 2016, arXiv 1609.04468).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.arrays import Floats
from vae_core.basics.errors import InvalidArgument


@dataclass(frozen=True)
class Direction:
    """A direction in the latent space.

    Attributes:
        unit: of length 1, (d,).
        deviation: standard deviation of all posterior means along it. One step of a slider is as
            long.
        apart: distance of the two means along it, in these standard deviations.
    """

    unit: Floats
    deviation: float
    apart: float

    @property
    def step(self) -> Floats:
        """What one standard deviation adds to z, (d,)."""
        return self.deviation * self.unit

    def move(self, z: Floats, deviations: float) -> Floats:
        """Move latents (…, d) along the direction by so many standard deviations."""
        return z + deviations * self.step


def class_direction(
    means: Floats, labels: NDArray[np.integer], toward: int, away_from: int | None = None
) -> Direction:
    """Direction from one class, or from all images that are not of the class, to a class.

    v = mean of E[z|x] over ``toward`` − mean of E[z|x] over ``away_from``, divided by its length.
    Images without a class (label −1) are not used.

    Args:
        means: E[z|x] of N images, (N, d).
        labels: their classes, (N,).
        away_from: a class; by default all other classes together.

    Raises:
        InvalidArgument: if one of the two groups has no image, if both are the same class, or if
            both have the same mean.
    """
    if toward == away_from:
        raise InvalidArgument("A direction needs two different classes.")
    means, labels = means[labels >= 0], labels[labels >= 0]
    here = labels == toward
    there = ~here if away_from is None else labels == away_from
    if not here.any() or not there.any():
        raise InvalidArgument("A direction needs images of the class and images to compare with.")
    difference = means[here].mean(0) - means[there].mean(0)
    length = float(np.linalg.norm(difference))
    if length < 1e-9:
        raise InvalidArgument("Both groups have the same mean, so there is no direction.")
    unit = difference / length
    deviation = float((means @ unit).std())
    return Direction(unit, deviation, length / deviation)

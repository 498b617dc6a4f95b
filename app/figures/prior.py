"""The prior p(z) as figures draw it: by its mean and its standard deviation."""

from typing import NamedTuple

import numpy as np

from vae_core.basics.arrays import Floats


class Prior(NamedTuple):
    """Mean and standard deviation of each z_i under p(z), (d,) each."""

    mean: Floats
    sd: Floats

    @property
    def is_standard(self) -> bool:
        """Whether the moments are those of N(0, I)."""
        return not self.mean.any() and bool((self.sd == 1).all())

    @property
    def root_mean_square(self) -> float:
        """√E‖z‖², which is √d for N(0, I)."""
        return float(np.sqrt((self.mean**2 + self.sd**2).sum()))


class PriorOnPlane(NamedTuple):
    """Mean (2,) and covariance (2, 2) of the prior on the plane of a map."""

    mean: Floats
    covariance: Floats

    @property
    def sd(self) -> Floats:
        """Standard deviation along both axes, (2,)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def is_aligned(self) -> bool:
        """Whether the two coordinates are uncorrelated, up to rounding."""
        return bool(abs(self.covariance[0, 1]) <= 1e-9 * np.trace(self.covariance))

    def contour(self, sigma: float) -> Floats:
        """The ellipse at ``sigma`` standard deviations, as a closed curve (97, 2)."""
        variance, axes = np.linalg.eigh(self.covariance)
        return self.mean + sigma * circle() @ (axes * np.sqrt(variance.clip(0))).T


def prior_on_plane(prior: Prior, mean: Floats, axes: Floats) -> PriorOnPlane:
    """Lay the prior on a plane.

    The latent dimensions are taken as uncorrelated under the prior.

    Args:
        prior: moments of each dimension, (d,).
        mean: where the prior's mean lies on the plane, (2,).
        axes: the plane's directions, (2, d), orthonormal.
    """
    covariance = (axes * prior.sd**2) @ axes.T
    return PriorOnPlane(mean, covariance.round(12))  # without rounding errors of the axes


def circle() -> Floats:
    """A closed circle of radius 1 around 0, (97, 2)."""
    angle = np.linspace(0, 2 * np.pi, 97)
    return np.stack([np.cos(angle), np.sin(angle)], -1)

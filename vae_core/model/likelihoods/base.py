"""The likelihood p(x|z): normalised, in nats, computed from the decoder's outputs for each pixel.

Shapes: images x are (B, D). The decoder's outputs l are (n, B, D), or broadcast against x, if a
pixel has one parameter; they are (n, B, D, P) for P parameters. To add a likelihood, write a class
in a file here and name it in :data:`vae_core.settings.choices.LIKELIHOODS`.
"""

import math
from abc import ABC, abstractmethod
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from vae_core.settings.config import ModelConfig

_SMALL = 0.01  # change of a pixel in [0, 1] over which slopes are taken


class Likelihood(nn.Module, ABC):
    """p(x|z) = ∏_i p(x_i; l_i(z)).

    Attributes:
        parameters_per_pixel: P, the number of decoder outputs for each pixel.
        location: those of the P outputs that say where the pixel's distribution lies.
        support: smallest and largest value that a pixel can have.
        is_binary: whether a pixel is either 0 or 1, so that it is no likelihood of grey values.
    """

    parameters_per_pixel: int = 1
    location: slice = slice(0, 1)
    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)
    is_binary: ClassVar[bool] = False

    @classmethod
    def of(cls, config: ModelConfig) -> Self:  # noqa: ARG003
        """Build the likelihood of a model; ``config`` is for likelihoods that depend on it."""
        return cls()

    @abstractmethod
    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        """log p(x_i; l_i) in nats, (n, B, D)."""

    def forward(self, x: Tensor, outputs: Tensor) -> Tensor:
        """log p(x|z), (n, B), accumulated in float32 or better."""
        return self.by_pixel(x, outputs).sum(-1)

    def at_shared(self, x: Tensor, outputs: Tensor) -> Tensor:
        """log p(x|z) of every image x (B, D) at the same G latents, (G, B).

        Args:
            outputs: the decoder's outputs there, (G, D) or (G, D, P).
        """
        return torch.cat([self(image, outputs[:, None]) for image in x.split(1)], 1)

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """E[x_i] given l_i, (n, B, D)."""

    @abstractmethod
    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Draw one x_i for each l_i, (n, B, D)."""

    @abstractmethod
    def initial_outputs(self, mean: Tensor) -> Tensor:
        """Compute the decoder outputs for which x has the given mean; training starts from them.

        Means for which no finite outputs exist are moved to the nearest that has some. For a mean
        (…) the result is (…), or (…, P) if a pixel has P > 1 parameters.
        """

    def start_from(self, mean: Tensor, left: Tensor) -> Tensor:
        """Compute outputs as :meth:`initial_outputs`, for a mean (C, H, W) and a spread around it.

        Own parameters of the likelihood are set for that spread.

        Args:
            left: the covariance between channels, (C, C), of pixels around their mean.
        """
        return self.initial_outputs(mean)

    def location_change(self, mean: Tensor, left: Tensor, directions: Tensor) -> Tensor:
        """Convert directions of the expected pixels (d, C, H, W) to directions of the locations.

        Args:
            mean: the expected pixels from which they lead, (C, H, W).
            left: as for :meth:`start_from`.
        """
        low, high = (self.initial_outputs(mean + step) for step in (-_SMALL, _SMALL))
        slope = (high - low) / (2 * _SMALL)
        return directions * (slope if slope.ndim == mean.ndim else slope[..., 0])

    def slope_and_curvature(self, x: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """First derivative of log p(x|l) with respect to l, and minus the second derivative.

        The latter is made positive semi-definite.

        Args:
            x: (N, D).
            outputs: (N, D), or (N, D, P) if a pixel has P > 1 parameters.

        Returns:
            The first has the shape of ``outputs``; the second too, or (N, D, P, P).
        """
        with torch.enable_grad():
            at = outputs.detach().requires_grad_()
            log_px_z = self.by_pixel(x, at).sum()
            (slope,) = torch.autograd.grad(log_px_z, at, create_graph=True)
            if self.parameters_per_pixel == 1:
                (bend,) = torch.autograd.grad(slope.sum(), at)
                return slope.detach(), (-bend).clamp_min(0)
            rows = [
                torch.autograd.grad(column.sum(), at, retain_graph=True)[0]
                for column in slope.unbind(-1)
            ]
        return slope.detach(), _positive(-torch.stack(rows, -2))

    def pull_back(self, x: Tensor, outputs: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """∇_z log p(x|z) and its Gauss–Newton curvature JᵀΛJ, for the decoder's Jacobian J = ∂l/∂z.

        Args:
            x: (N, D).
            outputs: (N, D), or (N, D, P) if a pixel has P > 1 parameters.
            columns: the columns ∂l/∂z_i of J, (N, d, D) or (N, d, D, P).

        Returns:
            (N, d), and (N, d, d), positive semi-definite.
        """
        slope, curvature = self.slope_and_curvature(x, outputs)
        gradient = (columns.flatten(2) @ slope.flatten(1)[..., None])[..., 0]
        return gradient, _pull_twice(columns, curvature)


def _positive(matrices: Tensor) -> Tensor:
    """Find the nearest positive semi-definite matrices to symmetric matrices (…, P, P)."""
    values, vectors = torch.linalg.eigh(matrices)
    return (vectors * values.clamp_min(0)[..., None, :]) @ vectors.mT


def _pull_twice(columns: Tensor, bend: Tensor) -> Tensor:
    """JᵀΛJ, (N, d, d), for the columns (N, d, D) and Λ (N, D), or (N, d, D, P) and (N, D, P, P)."""
    if columns.ndim == 3:
        return (columns * bend[:, None]) @ columns.mT
    bent = (columns[..., None, :] @ bend[:, None])[..., 0, :]
    return bent.flatten(2) @ columns.flatten(2).mT

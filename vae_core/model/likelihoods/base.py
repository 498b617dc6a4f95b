"""The likelihood p(x|z): normalised, in nats, from what the decoder puts out for each pixel.

Shapes: images x are (B, D). The decoder's outputs l are (n, B, D) or broadcast against x, where
one parameter describes a pixel, and (n, B, D, P) where P do. To add a likelihood, write a class in
a file here and name it in :data:`vae_core.settings.choices.LIKELIHOODS`.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn


class Likelihood(nn.Module, ABC):
    """p(x|z) = ∏_i p(x_i; l_i(z)).

    Attributes:
        parameters_per_pixel: P, how many numbers of the decoder describe a pixel.
    """

    parameters_per_pixel: ClassVar[int] = 1

    @abstractmethod
    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        """log p(x_i; l_i) in nats, (n, B, D)."""

    def forward(self, x: Tensor, outputs: Tensor) -> Tensor:
        """log p(x|z), (n, B), accumulated in float32 or better."""
        return self.by_pixel(x, outputs).sum(-1)

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """E[x_i] given l_i, (n, B, D)."""

    @abstractmethod
    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw of x_i for each l_i, (n, B, D)."""

    @abstractmethod
    def initial_outputs(self, mean: Tensor) -> Tensor:
        """Outputs to start training from: those whose mean is the given one, clipped where none or
        an infinite one is. For a mean (…) it is (…), or (…, P) where P parameters describe a
        pixel."""

    def slope_and_curvature(self, x: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """First derivative of log p(x|l) by l, and −1 times the second, which is made positive
        semi-definite.

        Args:
            x: (N, D).
            outputs: (N, D), or (N, D, P) where P parameters describe a pixel.

        Returns:
            Of the shape of ``outputs``; and the same, or (N, D, P, P).
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


def _positive(matrices: Tensor) -> Tensor:
    """The nearest positive semi-definite matrices to symmetric ones (…, P, P)."""
    values, vectors = torch.linalg.eigh(matrices)
    return (vectors * values.clamp_min(0)[..., None, :]) @ vectors.mT

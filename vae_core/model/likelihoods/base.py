"""The likelihood p(x|z): normalised, in nats, from what the decoder puts out for each pixel.

Shapes: images x are (B, D), the decoder's outputs l are (n, B, D) or broadcast against x. A new
likelihood is one class and one line in :data:`LIKELIHOODS`.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Likelihood(nn.Module, ABC):
    """p(x|z) = ∏_i p(x_i; l_i(z))."""

    @abstractmethod
    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        """log p(x_i; l_i) in nats, (n, B, D)."""

    def forward(self, x: Tensor, outputs: Tensor) -> Tensor:
        """log p(x|z), (n, B), accumulated in float32 or better."""
        return self.by_pixel(x, outputs).sum(-1)

    @abstractmethod
    def mean(self, outputs: Tensor) -> Tensor:
        """E[x_i] given l_i, of the same shape."""

    @abstractmethod
    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """One draw of x_i for each l_i, of the same shape."""

    @abstractmethod
    def outputs_of(self, mean: Tensor) -> Tensor:
        """The outputs whose mean is the given one, clipped where none or an infinite one is."""

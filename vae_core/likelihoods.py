"""The likelihood p(x|z): normalised, in nats, from what the decoder puts out for each pixel.

Shapes: images x are (B, D), the decoder's outputs l are (n, B, D) or broadcast against x. A new
likelihood is one class and one line in :data:`LIKELIHOODS`.
"""

import math
from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_core.bernoulli import BernoulliLogProb
from vae_core.config import LikelihoodName

_NEAR_ZERO = 0.05  # where power series are exact to float32 and the closed forms are not
_FARTHEST = 200.0  # outputs searched when a mean is inverted


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


class Bernoulli(Likelihood):
    """Binary pixels: log p = x l − log(1 + e^l), l the logit.

    Grey values give the cross-entropy, which is not a likelihood of binary data.
    """

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        return x * outputs + F.logsigmoid(-outputs)  # exact where softplus gives up, beyond 20

    def forward(self, x: Tensor, outputs: Tensor) -> Tensor:
        return cast(Tensor, BernoulliLogProb.apply(x, outputs))

    def mean(self, outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(torch.sigmoid(outputs), generator=generator)

    def outputs_of(self, mean: Tensor) -> Tensor:
        return torch.logit(mean.clamp(0.005, 0.995))


class ContinuousBernoulli(Likelihood):
    """Grey pixels in [0, 1], with density l e^{xl} / (e^l − 1).

    Loaiza-Ganem & Cunningham 2019 (arXiv 1907.06845), whose λ is sigmoid(l): the Bernoulli's
    expression made to integrate to 1 over [0, 1].
    """

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        return (x - 0.5) * outputs - _log_sinhc(outputs / 2)

    def mean(self, outputs: Tensor) -> Tensor:
        near = outputs.abs() < _NEAR_ZERO
        away = torch.where(near, 1.0, outputs)
        closed = -1 / torch.expm1(-away) - 1 / away
        return torch.where(near, 0.5 + outputs / 12 - outputs**3 / 720, closed)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """By inverting the distribution function, of −|l|, which cannot overflow."""
        u = torch.rand(
            outputs.shape, generator=generator, dtype=outputs.dtype, device=outputs.device
        )
        near = outputs.abs() < 1e-4  # uniform there, to a part in 10,000
        fall = torch.where(near, -1.0, -outputs.abs())
        x = torch.log1p(u * torch.expm1(fall)) / fall
        return torch.where(near, u, torch.where(outputs > 0, 1 - x, x))

    def outputs_of(self, mean: Tensor) -> Tensor:
        low = torch.full_like(mean, -_FARTHEST)
        high = torch.full_like(mean, _FARTHEST)
        for _ in range(50):
            middle = (low + high) / 2
            above = self.mean(middle) > mean
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (low + high) / 2


class Gaussian(Likelihood):
    """Pixels N(l_i, s²), with one learned s for all: log p = −½((x − l)/s)² − log s − ½ log 2π.

    With a linear decoder this is probabilistic PCA (Tipping & Bishop 1999).
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(0.3)))

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        away = (x - outputs) * (-self.log_scale).exp()
        return -0.5 * (away.square() + math.log(2 * math.pi)) - self.log_scale

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(
            outputs.shape, generator=generator, dtype=outputs.dtype, device=outputs.device
        )
        return outputs + self.log_scale.exp() * noise

    def outputs_of(self, mean: Tensor) -> Tensor:
        return mean


LIKELIHOODS: dict[LikelihoodName, type[Likelihood]] = {
    "bernoulli": Bernoulli,
    "continuous-bernoulli": ContinuousBernoulli,
    "gaussian": Gaussian,
}


def _log_sinhc(u: Tensor) -> Tensor:
    """log(sinh(u)/u), which is even in u, for u of any size."""
    near = u.abs() < _NEAR_ZERO
    away = torch.where(near, 1.0, u.abs())
    closed = away + torch.log(-torch.expm1(-2 * away)) - torch.log(2 * away)
    return torch.where(near, u.square() / 6 - u**4 / 180, closed)

"""The continuous Bernoulli (Loaiza-Ganem & Cunningham 2019, arXiv 1907.06845)."""

import torch
from torch import Tensor

from vae_core.model.likelihoods.base import Likelihood

_NEAR_ZERO = 0.05  # below this, power series are exact in float32 and the closed forms are not
_FARTHEST = 200.0  # limit of the search for the outputs with a given mean


class ContinuousBernoulli(Likelihood):
    """Grey pixels in [0, 1], with density l e^{xl} / (e^l − 1).

    Loaiza-Ganem & Cunningham 2019 (arXiv 1907.06845), with λ = sigmoid(l): the Bernoulli's
    expression, normalised to integrate to 1 over [0, 1].
    """

    support = (0.0, 1.0)

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        return (x - 0.5) * outputs - _log_sinhc(outputs / 2)

    def mean(self, outputs: Tensor) -> Tensor:
        near = outputs.abs() < _NEAR_ZERO
        away = torch.where(near, 1.0, outputs)
        closed = -1 / torch.expm1(-away) - 1 / away
        return torch.where(near, 0.5 + outputs / 12 - outputs**3 / 720, closed)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Invert the distribution function for −|l|, which cannot overflow."""
        u = torch.rand(
            outputs.shape, generator=generator, dtype=outputs.dtype, device=outputs.device
        )
        near = outputs.abs() < 1e-4  # almost uniform: error below 1e-4
        fall = torch.where(near, -1.0, -outputs.abs())
        x = torch.log1p(u * torch.expm1(fall)) / fall
        return torch.where(near, u, torch.where(outputs > 0, 1 - x, x))

    def initial_outputs(self, mean: Tensor) -> Tensor:
        low = torch.full_like(mean, -_FARTHEST)
        high = torch.full_like(mean, _FARTHEST)
        for _ in range(50):
            middle = (low + high) / 2
            above = self.mean(middle) > mean
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return (low + high) / 2


def _log_sinhc(u: Tensor) -> Tensor:
    """log(sinh(u)/u), an even function, for u of any size."""
    near = u.abs() < _NEAR_ZERO
    away = torch.where(near, 1.0, u.abs())
    closed = away + torch.log(-torch.expm1(-2 * away)) - torch.log(2 * away)
    return torch.where(near, u.square() / 6 - u**4 / 180, closed)

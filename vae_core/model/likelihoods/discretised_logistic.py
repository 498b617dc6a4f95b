"""Pixels of 8 bits, each with its own discretised logistic distribution."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_core.model.likelihoods import logistic
from vae_core.model.likelihoods.base import Likelihood

FIRST_LOG_SCALE = math.log(0.25)
"""log s of a new model: about the spread of natural images."""
_FARTHEST = 8.0  # limit of the search for the outputs with a given mean
_EXTREME = 0.005  # means nearer to 0 or 1 would begin with no slope


class DiscretisedLogistic(Likelihood):
    """The 256 values of 8-bit pixels: P(v) = σ(b) − σ(a), an exact probability.

    The outputs of a pixel are m and log s of a logistic distribution on the axis −1 to 1, which is
    cut into 256 bins (:mod:`vae_core.model.likelihoods.logistic`). Pixels are v/255.
    """

    parameters_per_pixel = 2
    support = (0.0, 1.0)

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        return logistic.log_mass(logistic.values_of(x), *_mean_and_log_scale(outputs))

    def mean(self, outputs: Tensor) -> Tensor:
        return logistic.pixels_of(logistic.mean_value(*_mean_and_log_scale(outputs)))

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        values = logistic.sample_values(*_mean_and_log_scale(outputs), generator)
        return logistic.pixels_of(values)

    def initial_outputs(self, mean: Tensor) -> Tensor:
        log_scale = torch.full_like(mean, FIRST_LOG_SCALE)

        def outputs(at: Tensor) -> Tensor:
            return torch.stack([at, log_scale], -1)

        return outputs(place_with_mean(mean, lambda at: self.mean(outputs(at))))

    def start_from(self, mean: Tensor, left: Tensor) -> Tensor:
        log_scale = logistic.log_scale_of(4 * left.diagonal())[:, None, None].expand_as(mean)
        return torch.stack([self.initial_outputs(mean)[..., 0], log_scale], -1)

    def location_change(self, mean: Tensor, left: Tensor, directions: Tensor) -> Tensor:
        return 2 * directions

    def slope_and_curvature(self, x: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """The curvature is the Gauss–Newton matrix, whose mean is the Fisher information."""
        values, free = logistic.values_of(x), within_limits(outputs[..., 1])
        at = _mean_and_log_scale(outputs)
        by_mean, by_log_scale = logistic.slopes(values, *at)
        factors = logistic.curvature_factors(values, *at)
        rows = torch.stack([torch.stack([f, g * free], -1) for f, g in factors], -2)
        return torch.stack([by_mean, by_log_scale * free], -1), rows.mT @ rows


def place_with_mean(mean: Tensor, mean_at: Callable[[Tensor], Tensor]) -> Tensor:
    """Find the m at which an increasing function is equal to ``mean``, by bisection."""
    mean = mean.clamp(_EXTREME, 1 - _EXTREME)
    low, high = torch.full_like(mean, -_FARTHEST), torch.full_like(mean, _FARTHEST)
    for _ in range(60):
        middle = (low + high) / 2
        above = mean_at(middle) > mean
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (low + high) / 2


def within_limits(log_scale: Tensor) -> Tensor:
    """Whether log s has an effect; outside of its limits it has none."""
    low, high = logistic.LOG_SCALES
    return (log_scale >= low) & (log_scale <= high)


def _mean_and_log_scale(outputs: Tensor) -> tuple[Tensor, Tensor]:
    return outputs[..., 0], outputs[..., 1].clamp(*logistic.LOG_SCALES)

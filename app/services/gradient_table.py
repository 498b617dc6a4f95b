"""Measured numbers of the Gradient lab, without torch: a point for each estimator and L."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from vae_core.settings.choices import GradientName
from vae_core.settings.config import TrainConfig
from vae_core.settings.fields import ConfigError
from vae_core.wording.numbers import number

ESTIMATORS: tuple[GradientName, ...] = get_args(GradientName)


@dataclass(frozen=True)
class Protocol:
    """Everything that determines a measurement, besides the estimator and L.

    Attributes:
        model: identifies the model and its weights.
        split, first, count: which images, of a split or drawn by the model.
        inside: K, the samples inside the logarithm; 1 for the ELBO.
        repeats: R, the estimates per point.
    """

    model: Hashable
    split: str
    first: int
    count: int
    inside: int
    repeats: int


@dataclass(frozen=True)
class Point:
    """The noise of an estimator at one L.

    Attributes:
        repeats: estimates so far.
        variance: trace of the covariance of one estimate, in nats².
        variance_error: standard error of ``variance``; NaN while unknown.
        signal: ‖E g‖² estimated from these estimates, in nats².
        seconds, seconds_error: median time of one estimate, and its standard error.
        coordinates: estimates of the derivative by the mean of each latent dimension, (R, d).
    """

    gradient: GradientName
    samples: int
    repeats: int
    variance: float
    variance_error: float
    signal: float
    seconds: float
    seconds_error: float
    coordinates: np.ndarray

    @property
    def effort(self) -> float:
        """Variance × time, in nats² s. Lower means less noise for a given computing time."""
        return self.variance * self.seconds

    @property
    def effort_error(self) -> float:
        """Standard error of :attr:`effort`; NaN while unknown."""
        return math.hypot(self.variance_error * self.seconds, self.variance * self.seconds_error)


APART = 2.0  # a difference counts from this many standard errors


@dataclass(frozen=True)
class Ratio:
    """Ratio of two variances, with its standard error."""

    value: float
    error: float

    @property
    def tied(self) -> bool:
        """Whether the ratio cannot be distinguished from 1."""
        return not abs(self.value - 1) > APART * self.error

    @property
    def root(self) -> "Ratio":
        """Ratio of the signal-to-noise ratios: the square root."""
        value = self.value**0.5
        return Ratio(value, self.error / (2 * value))

    def __str__(self) -> str:
        if self.value < 100:
            return number(self.value, self.error, unit="")
        digits = 1 - math.floor(math.log10(self.value))
        return f"about {round(self.value, digits):,.0f}"


def ratio(one: Point, other: Point) -> Ratio:
    """Variance of one estimator divided by the variance of another."""
    if other.variance <= 0:
        return Ratio(math.inf, 0.0)
    value = one.variance / other.variance
    relative = math.hypot(
        one.variance_error / max(one.variance, 1e-300), other.variance_error / other.variance
    )
    return Ratio(value, value * relative if math.isfinite(relative) else math.inf)


Table = Mapping[GradientName, Sequence[Point]]  # each row sorted by L


def refusal(gradient: GradientName, samples: int, inside: int) -> str:
    """Reason why an estimator cannot be used with this L and K; empty if it can."""
    if gradient == "dreg" and inside == 1:
        return "With K = 1 the DReG gradient equals sticking the landing. Choose K of at least 2."
    try:
        TrainConfig(gradient=gradient, samples=samples, iwae_samples=inside)
    except ConfigError as error:
        return str(error)
    return ""


def seed_of(gradient: GradientName, samples: int) -> int:
    """A different seed for each point. With the same seed, points would share noise and errors."""
    return 1000 * ESTIMATORS.index(gradient) + samples


def grid(largest: int) -> list[int]:
    """Values of L that are measured: powers of two up to ``largest``."""
    return [2**power for power in range(largest.bit_length())]


def cells(
    gradients: Sequence[GradientName], largest: int, inside: int
) -> list[tuple[GradientName, int]]:
    """Every estimator at every L that it supports, cheap ones first."""
    return [
        (gradient, samples)
        for samples in grid(largest)
        for gradient in gradients
        if not refusal(gradient, samples, inside)
    ]


def signal(table: Table) -> tuple[float, float]:
    """‖E g‖² in nats² and an upper bound of its standard error.

    The mean is the same for all estimators and L, so the least noisy point gives the best estimate.
    The error of a squared length is largest if all noise points in the direction of the mean.
    """
    points = [
        point
        for row in table.values()
        for point in row
        if point.repeats > 1 and math.isfinite(point.variance)
    ]
    if not points:
        return float("nan"), float("nan")
    best = min(points, key=lambda point: point.variance / point.repeats)
    return best.signal, 2 * (best.signal * best.variance / best.repeats) ** 0.5


def at(table: Table, samples: int) -> list[Point]:
    """Points at one L."""
    return [point for row in table.values() for point in row if point.samples == samples]

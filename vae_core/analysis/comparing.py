"""Compare models by means over the same images: which difference is larger than its error?

All pairs of models are compared, two-sided, and the p-values are corrected for the number of pairs
(Holm 1979, Scand. J. Statist. 6). So the probability that any difference is called one although
there is none is at most the level, however many models are compared and whichever of them happens
to be the highest.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.arrays import Floats

LEVEL = 0.05
"""Probability of at least one wrong difference among all pairs of a comparison."""


@dataclass(frozen=True)
class Mean:
    """A mean over images, such as log p̂(x) of a model on a data set.

    Attributes:
        value: the mean; NaN if it is not known.
        se: its standard error; NaN if it is not known.
        images: number of images.
        by_image: the value of each image, (images,), in the order of the data set; None if these
            were not kept.
    """

    value: float
    se: float
    images: int
    by_image: Floats | None = None


@dataclass(frozen=True)
class Differences:
    """Differences between m models, all (m, m).

    Attributes:
        value: mean of model i minus mean of model j.
        se: standard error of the difference; NaN if it is not known.
        paired: whether the error comes from the differences of the same images. Otherwise it is
            √(se_i² + se_j²), which is too large where models agree on which images are hard.
        p: two-sided p-value, corrected for all pairs; NaN if it cannot be computed.
    """

    value: Floats
    se: Floats
    paired: NDArray[np.bool_]
    p: Floats

    @property
    def pairs(self) -> int:
        """Number of pairs that were tested."""
        return int(np.isfinite(self.p[np.triu_indices(len(self.p), 1)]).sum())


@dataclass(frozen=True)
class Ranking:
    """Models in the order of their means.

    Attributes:
        order: indices of the models whose mean is known, the highest first.
        leaders: the model with the highest mean, and those that cannot be told apart from it.
        differences: the differences that this follows from.
    """

    order: tuple[int, ...]
    leaders: tuple[int, ...]
    differences: Differences

    @property
    def best(self) -> int | None:
        """Index of the model that is higher than every other one; None if that cannot be told."""
        return self.leaders[0] if len(self.leaders) == 1 and len(self.order) > 1 else None


def ranking(means: Sequence[Mean], level: float = LEVEL) -> Ranking:
    """Rank models by means over the same images; higher is better.

    Args:
        level: a difference is told from zero if its corrected p-value is at most this.
    """
    return ranked([mean.value for mean in means], differences(means), level)


def ranked(values: Sequence[float], found: Differences, level: float = LEVEL) -> Ranking:
    """Rank models by their values, given the differences between them."""
    known = [i for i, value in enumerate(values) if math.isfinite(value)]
    order = sorted(known, key=lambda i: -values[i])
    leaders = [i for i in order if i == order[0] or not found.p[order[0], i] <= level]
    return Ranking(tuple(order), tuple(leaders), found)


def differences(means: Sequence[Mean]) -> Differences:
    """Compute all differences between models, with their errors and corrected p-values."""
    values = np.array([mean.value for mean in means], dtype=np.float64)
    errors = np.array([mean.se for mean in means], dtype=np.float64)
    se = np.hypot(errors[:, None], errors)
    paired = np.zeros(se.shape, dtype=bool)
    for members in _paired(means):
        block = np.ix_(members, members)
        se[block] = _errors_of_differences([means[i].by_image for i in members])
        paired[block] = True
    with np.errstate(invalid="ignore"):
        value = values[:, None] - values
    degrees = np.array([mean.images - 1 for mean in means])
    p = two_sided(value, se, np.minimum(degrees[:, None], degrees))
    return Differences(value, se, paired, corrected(p))


def holm(p: Floats) -> Floats:
    """Correct p-values (n,) for their number; NaN stays NaN, and is no test."""
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps)) if len(order) else steps
    return adjusted


def _paired(means: Sequence[Mean]) -> list[list[int]]:
    """Indices of the models that have values of the same images, in groups of equal number."""
    groups: dict[int, list[int]] = {}
    for index, mean in enumerate(means):
        scores = mean.by_image
        if scores is not None and len(scores) > 1 and np.isfinite(scores).all():
            groups.setdefault(len(scores), []).append(index)
    return [members for members in groups.values() if len(members) > 1]


def _errors_of_differences(scores: Sequence[Floats | None]) -> Floats:
    """Standard error of the mean difference of each pair of models, (m, m)."""
    table = np.array(scores, dtype=np.float64)
    table -= table.mean(1, keepdims=True)
    products = table @ table.T
    squares = np.diag(products)
    sums = np.maximum(0, squares[:, None] + squares - 2 * products)
    count = table.shape[1]
    return np.sqrt(sums / (count * (count - 1)))


def two_sided(value: Floats, se: Floats, degrees: NDArray[Any]) -> Floats:
    """p-values of differences by Student's t; 1 for equal values, NaN where no error is known.

    Args:
        degrees: degrees of freedom; below 1 there is no p-value.
    """
    from scipy.special import stdtr  # takes a third of a second to import

    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(value == 0, 0, np.abs(value) / se)
        p = 2 * stdtr(np.maximum(degrees, 1), -t)
    p[np.isnan(se) | np.isnan(value) | (degrees < 1)] = np.nan
    return p


def corrected(p: Floats) -> Floats:
    """Correct a symmetric table of p-values for the number of its pairs."""
    upper = np.triu_indices(len(p), 1)
    table = np.full(p.shape, np.nan)
    table[upper] = holm(p[upper])
    table.T[upper] = table[upper]
    return table

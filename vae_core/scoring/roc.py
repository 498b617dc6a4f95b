"""Rates of two groups of images, good and bad, and how well a score separates the groups.

All scores are higher for images that look bad. NaN counts as the highest score. Intervals have a
confidence of 95 %.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_Z = 1.959963984540054  # of the standard normal, for 95 % on two sides
_HALVINGS = 60  # of an interval, to the precision of a float


@dataclass(frozen=True)
class Rate:
    """A share of images that was counted.

    Attributes:
        count: number of images counted.
        images: number of all images, 1 or more.
    """

    count: int
    images: int

    @property
    def value(self) -> float:
        """The share, 0 to 1."""
        return self.count / self.images

    @property
    def between(self) -> tuple[float, float]:
        """Wilson's score interval (Wilson 1927), which also fits shares of 0 and 1."""
        n, k, z2 = self.images, self.count, _Z**2
        centre = (k + z2 / 2) / (n + z2)
        half = _Z / (n + z2) * math.sqrt(k * (n - k) / n + z2 / 4)
        return (max(0.0, centre - half) if k else 0.0), (min(1.0, centre + half) if k < n else 1.0)


@dataclass(frozen=True)
class Curve:
    """An ROC curve, from (0, 0) to (1, 1).

    Attributes:
        false_alarms: share of good images at or above each threshold, (T,), rising.
        detected: share of bad images at or above the same threshold, (T,).
    """

    false_alarms: Values
    detected: Values


@dataclass(frozen=True)
class Area:
    """The area under an ROC curve: how often a bad image has the higher score; ties count half.

    Attributes:
        value: the area; 0.5 by chance, 1 without any mistake.
        good, bad: numbers of images.
    """

    value: float
    good: int
    bad: int

    @property
    def se(self) -> float:
        """Approximate standard error (Hanley & McNeil 1982, equation 2)."""
        return area_se(self.value, self.good, self.bad)

    @property
    def between(self) -> tuple[float, float]:
        """Newcombe's interval (2006, Statistics in Medicine 25:559, method 5).

        It is Wilson's interval for the variance of Hanley and McNeil, so it has a width for an area
        of 1 too.
        """
        n = (self.good + self.bad) / 2 - 1

        def too_far(area: float) -> bool:
            spread = 1 + n * (1 - area) / (2 - area) + n * area / (1 + area)
            variance = area * (1 - area) * spread / (self.good * self.bad)
            return (area - self.value) ** 2 > _Z**2 * variance

        return _last_near(self.value, 0.0, too_far), _last_near(self.value, 1.0, too_far)


def _last_near(near: float, end: float, too_far: Callable[[float], bool]) -> float:
    """The place between ``near`` and ``end`` from which on all places are too far."""
    if near == end:
        return end
    far = end
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        near, far = (near, middle) if too_far(middle) else (middle, far)
    return (near + far) / 2


@dataclass(frozen=True)
class Gain:
    """Difference between the areas of two scores of the same images.

    Attributes:
        value: the difference.
        se: its standard error (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837).
    """

    value: float
    se: float

    @property
    def between(self) -> tuple[float, float]:
        """Bounds by the normal approximation, within −1 and 1."""
        return max(-1.0, self.value - _Z * self.se), min(1.0, self.value + _Z * self.se)


def area_se(area: float, good: int, bad: int) -> float:
    """Approximate standard error of an area under an ROC curve (Hanley & McNeil 1982, equation 2).

    Args:
        good, bad: numbers of images.
    """
    of_bad = area / (2 - area) - area**2
    of_good = 2 * area**2 / (1 + area) - area**2
    spread = area * (1 - area) + (bad - 1) * of_bad + (good - 1) * of_good
    return math.sqrt(max(0.0, spread) / (good * bad))


def roc(good: Values, bad: Values) -> Curve:
    """Compute the ROC curve of the scores of good images (N,) and bad images (M,)."""
    good, bad = _without_nan(good), _without_nan(bad)
    thresholds = np.unique(np.r_[good, bad])[::-1]
    shares = [_share_above(group, thresholds) for group in (good, bad)]
    false_alarms, detected = (np.r_[0.0, share] for share in shares)
    return Curve(false_alarms, detected)


def area(good: Values, bad: Values) -> Area:
    """Compute the area under the ROC curve of the scores of good (N,) and bad images (M,)."""
    of_bad, _ = _placements(good, bad)
    return Area(float(of_bad.mean()), len(good), len(bad))


def gain(one: tuple[Values, Values], other: tuple[Values, Values]) -> Gain:
    """Compute by how much the area of one score is larger than that of another.

    Args:
        one, other: the scores of good images (N,) and of bad images (M,), in the same order of
            images. N and M are 2 or more.
    """
    bad, good = (
        first - second for first, second in zip(_placements(*one), _placements(*other), strict=True)
    )
    variance = bad.var(ddof=1) / len(bad) + good.var(ddof=1) / len(good)
    return Gain(float(bad.mean()), math.sqrt(variance))


def _placements(good: Values, bad: Values) -> tuple[Values, Values]:
    """The share of good images below each bad one, (M,), and of bad ones above each good one."""
    good, bad = _without_nan(good), _without_nan(bad)
    return _share_below(good, bad), 1 - _share_below(bad, good)


def _share_below(among: Values, values: Values) -> Values:
    """The share of ``among`` below each value; ties count half."""
    ordered = np.sort(among)
    twice = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return twice / (2 * len(among))


def _share_above(group: Values, thresholds: Values) -> Values:
    """The share of a group at or above each threshold."""
    below = np.searchsorted(np.sort(group), thresholds, "left")
    return (len(group) - below) / len(group)


def _without_nan(scores: Values) -> Values:
    return np.nan_to_num(np.asarray(scores, np.float64), nan=np.finfo(np.float64).max)

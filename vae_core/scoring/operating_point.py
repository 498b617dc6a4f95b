"""The operating point of a model: the false-alarm rate that its verdicts use, and why.

It is chosen with images that are known to be good or bad. The rate α that minimises

    π · c_miss · (1 − share of bad images found) + (1 − π) · c_alarm · share of good images called

is suggested, where π is the share of bad images in use and c are the costs of a mistake. Nothing is
reported on the images that α was chosen with: see :data:`Way`.
"""

from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.errors import InvalidArgument
from vae_core.scoring.false_alarms import check_rate, smallest_rate
from vae_core.scoring.roc import Rate, Values
from vae_core.settings.options import FALSE_ALARM_BOUNDS

Shares = TypeVar("Shares", float, Values)
Way = Literal["halves", "folds", "given"]
"""How α was chosen, and on what its rates are reported.

``halves``: α is chosen on one half of the images, and its rates are those of the other half.
``folds``: with few images, both groups are divided into parts; each part is judged at the α that
all others choose, these rates are reported, and α is chosen on all. ``given``: the user gave α; its
rates are those of all images.
"""
WAYS: tuple[Way, ...] = ("halves", "folds", "given")

FEWEST_IMAGES = 5
"""Smallest number of images in each group."""
FEWEST_TO_HALVE = 100
"""Number of images in each group from which on the groups are halved."""
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.05, 0.1, 0.2)
"""The false-alarm rates of a table."""
_ROUNDING = 1e-9  # tolerance for a rate, as in a verdict
_SAME_COST = 1e-12
_DIGITS = 10**4  # of a suggested rate
_FOLDS = 20


@dataclass(frozen=True)
class Costs:
    """What mistakes cost, in any unit, and how many bad images there are in use.

    Attributes:
        miss: cost of a bad image that is not called unlike the training data.
        alarm: cost of a good image that is called so.
        share_bad: π, the share of bad images in use, between 0 and 1.
    """

    miss: float = 1.0
    alarm: float = 1.0
    share_bad: float = 0.01

    def of(self, detected: Shares, false_alarms: Shares) -> Shares:
        """The cost of an image on average, from both rates: numbers, or arrays of one shape."""
        missed = self.share_bad * self.miss * (1 - detected)
        return missed + (1 - self.share_bad) * self.alarm * false_alarms

    @property
    def of_none(self) -> float:
        """The cost of an image on average if no image is called unlike the training data."""
        return self.share_bad * self.miss


@dataclass(frozen=True)
class RatesAt:
    """Both rates at one false-alarm rate α of the verdict.

    Attributes:
        false_alarms: α.
        alarms: good images that are called unlike the training data.
        detected: bad images that are called so.
    """

    false_alarms: float
    alarms: Rate
    detected: Rate


@dataclass(frozen=True)
class Chosen(RatesAt):
    """A chosen false-alarm rate, and its rates on images that it was not chosen with.

    Attributes:
        way: how it was chosen, and which images the rates are of.
        costs: the costs that it was chosen for.
    """

    way: Way
    costs: Costs

    @property
    def calls_for_nothing(self) -> bool:
        """Whether these rates cost more than calling no image unlike the training data."""
        cost = self.costs.of(self.detected.value, self.alarms.value)
        return cost > self.costs.of_none + _SAME_COST


@dataclass(frozen=True)
class KnownImages:
    """What an operating point says about one group of images.

    Attributes:
        images: number of images, without copies.
        digest: SHA-256 over the digests of their files, in hexadecimal digits; the order of the
            files does not matter.
        called: images called unlike the training data, among those that are reported on.
    """

    images: int
    digest: str
    called: Rate


@dataclass(frozen=True)
class OperatingPoint:
    """The false-alarm rate of a model's verdicts, and how it came about.

    Attributes:
        false_alarms: α.
        way, costs: as in :class:`Chosen`.
        good, bad: the images.
        made: when, in ISO 8601 with the time zone.
        by: who saved it, as they said; may be empty.
        mark: digest of the weights and the calibration that it belongs to.
    """

    false_alarms: float
    way: Way
    costs: Costs
    good: KnownImages
    bad: KnownImages
    made: str
    by: str
    mark: str


def rates_at(false_alarms: float, good: Values, bad: Values) -> RatesAt:
    """Count the images whose p-value is at most α, in both groups.

    Args:
        good, bad: p-values (N,) and (M,).
    """
    return RatesAt(false_alarms, _rate(good, false_alarms), _rate(bad, false_alarms))


def table_of_rates(good: Values, bad: Values, held_out: int) -> list[RatesAt]:
    """Count both groups at every rate of :data:`RATES` that N held-out images support."""
    lowest = smallest_rate(held_out)
    return [rates_at(each, good, bad) for each in RATES if each >= lowest]


def choose(
    good: Values,
    bad: Values,
    held_out: int,
    costs: Costs,
    given: float | None = None,
    seed: int = 0,
) -> Chosen:
    """Choose the false-alarm rate, and report its rates on images that did not choose it.

    Args:
        good, bad: p-values (N,) and (M,) of images that are known to be good and bad.
        held_out: number of held-out images of the calibration.
        given: α of the user; nothing is chosen then.
        seed: of the division into halves or parts.

    Raises:
        InvalidArgument: if a group has fewer than :data:`FEWEST_IMAGES` images, or the held-out
            images are too few for the rate.
    """
    for name, group in (("good", good), ("bad", bad)):
        if len(group) < FEWEST_IMAGES:
            raise InvalidArgument(
                f"There must be at least {FEWEST_IMAGES} {name} images that can be read; there "
                f"{'is' if len(group) == 1 else 'are'} {len(group)}."
            )
    if given is not None:
        check_rate(given, held_out)
        return _chosen(rates_at(given, good, bad), "given", costs)
    rates = candidates(held_out)
    random = np.random.default_rng(seed)
    if min(len(good), len(bad)) < FEWEST_TO_HALVE:
        return _by_folds(good, bad, rates, costs, random)
    (good, other_good), (bad, other_bad) = (_halves(each, random) for each in (good, bad))
    best = _best(_called(good, rates), _called(bad, rates), costs)
    return _chosen(rates_at(float(rates[best]), other_good, other_bad), "halves", costs)


def candidates(held_out: int) -> Values:
    """The false-alarm rates between which verdicts differ, (R,): k / (N + 1), rounded up.

    Raises:
        InvalidArgument: if the N held-out images support no rate.
    """
    lowest, highest = FALSE_ALARM_BOUNDS
    steps = np.arange(1, held_out + 1)
    rates = np.ceil(_DIGITS * steps / (held_out + 1) - _ROUNDING) / _DIGITS
    rates = np.unique(rates[(rates >= lowest) & (rates <= highest)])
    if not len(rates):
        check_rate(highest, held_out)
    return rates


def _best(good: NDArray[np.bool_], bad: NDArray[np.bool_], costs: Costs) -> int:
    """Index of the rate with the lowest cost, from who is called at each rate, (N, R), (M, R)."""
    return _cheapest(costs.of(bad.mean(0), good.mean(0)))


def _cheapest(cost: Values) -> int:
    """Index of the lowest cost; of several, the middle one, which is farthest from any change."""
    lowest = np.flatnonzero(cost <= cost.min() + _SAME_COST)
    return int(lowest[len(lowest) // 2])


def _by_folds(
    good: Values, bad: Values, rates: Values, costs: Costs, random: np.random.Generator
) -> Chosen:
    """Judge each part of both groups at the rate that all other parts choose; choose on all.

    A part has images of both groups, so that both are judged at the same rates. If single images
    were left out instead, ties between costs would make the rates seem better than chance.
    """
    groups = [_called(each, rates) for each in (good, bad)]
    folds = min(_FOLDS, len(good), len(bad))
    parts = [random.permutation(np.arange(len(group)) % folds) for group in groups]
    counts = np.zeros(2, int)
    for fold in range(folds):
        others = [group[part != fold] for group, part in zip(groups, parts, strict=True)]
        best = _best(others[0], others[1], costs)
        counts += [
            group[part == fold, best].sum() for group, part in zip(groups, parts, strict=True)
        ]
    alarms, detected = (
        Rate(int(n), len(each)) for n, each in zip(counts, (good, bad), strict=True)
    )
    best = _best(groups[0], groups[1], costs)
    return Chosen(float(rates[best]), alarms, detected, "folds", costs)


def _halves(group: Values, random: np.random.Generator) -> tuple[Values, Values]:
    mixed = random.permutation(group)
    return mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]


def _called(p_values: Values, rates: Values) -> NDArray[np.bool_]:
    """Whether each of N images is called unlike the training data at each of R rates, (N, R)."""
    return p_values[:, None] <= rates + _ROUNDING


def _rate(p_values: Values, false_alarms: float) -> Rate:
    return Rate(int((p_values <= false_alarms + _ROUNDING).sum()), len(p_values))


def _chosen(found: RatesAt, way: Way, costs: Costs) -> Chosen:
    return Chosen(found.false_alarms, found.alarms, found.detected, way, costs)

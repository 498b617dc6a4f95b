"""Compare settings that were trained with several seeds: mean, spread, and what can be told apart.

Two trainings with other seeds give other models, so a difference between settings counts only
against the spread over seeds. With few seeds that spread is itself uncertain, which Student's t
with the right degrees of freedom takes into account (Welch 1947, Biometrika 34).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from vae_core.analysis.comparing import (
    LEVEL,
    Differences,
    Mean,
    Ranking,
    corrected,
    differences,
    ranked,
    two_sided,
)
from vae_core.basics.arrays import Floats

Basis = Literal["seeds", "pooled", "images"]
"""Where errors come from: the spread over the seeds of each setting; partly the spread of other
settings, because some have one seed; or the images, because no setting has two seeds."""


@dataclass(frozen=True)
class Repeated:
    """A figure of one setting, with one mean over images for each seed.

    Attributes:
        means: of the seeds whose figure is known.
    """

    means: tuple[Mean, ...]

    @cached_property
    def _values(self) -> Floats:
        return np.array([mean.value for mean in self.means], dtype=np.float64)

    @property
    def seeds(self) -> int:
        """Number of seeds, n."""
        return len(self.means)

    @property
    def value(self) -> float:
        """Mean over seeds; NaN without any."""
        return float(self._values.mean()) if self.seeds else math.nan

    @property
    def spread(self) -> float:
        """Standard deviation over seeds; NaN for fewer than two."""
        return float(self._values.std(ddof=1)) if self.seeds > 1 else math.nan

    @property
    def se(self) -> float:
        """Standard error of the mean: over seeds, or over images where there is one seed."""
        if self.seeds == 1:
            return self.means[0].se
        return self.spread / math.sqrt(self.seeds) if self.seeds else math.nan


def repeated(means: Sequence[Mean]) -> Repeated:
    """Collect the figure of one setting, without seeds whose figure is not known."""
    return Repeated(tuple(mean for mean in means if math.isfinite(mean.value)))


def basis_of(settings: Sequence[Repeated]) -> Basis:
    """Say where the errors of differences between settings come from."""
    counts = [each.seeds for each in settings if each.seeds]
    if not any(count > 1 for count in counts):
        return "images"
    return "seeds" if all(count > 1 for count in counts) else "pooled"


def ranking_over_seeds(settings: Sequence[Repeated], level: float = LEVEL) -> Ranking:
    """Rank settings by their means over seeds; higher is better.

    Args:
        level: as for :func:`vae_core.analysis.comparing.ranking`.
    """
    return ranked([each.value for each in settings], differences_over_seeds(settings), level)


def differences_over_seeds(settings: Sequence[Repeated]) -> Differences:
    """Compute all differences between settings, with their errors and corrected p-values.

    Two settings with at least two seeds each are compared by Welch's test. A setting with one seed
    says nothing about its own spread, so it gets that of all settings with more, pooled. Where no
    setting has two seeds, only the error over images is known.
    """
    basis = basis_of(settings)
    if basis == "images":
        unknown = Mean(math.nan, math.nan, 0)
        return differences([each.means[0] if each.seeds else unknown for each in settings])
    values = np.array([each.value for each in settings], dtype=np.float64)
    counts = np.array([each.seeds for each in settings], dtype=np.float64)
    variances = np.array([each.spread**2 for each in settings], dtype=np.float64)
    se, degrees = _welch(variances, counts)
    if basis == "pooled":
        single = counts == 1
        pooled, freedom = _pooled(variances, counts)
        with np.errstate(divide="ignore"):
            own = np.sqrt(pooled * (1 / counts[:, None] + 1 / counts))
        either = single[:, None] | single
        se, degrees = np.where(either, own, se), np.where(either, freedom, degrees)
    value = values[:, None] - values
    np.fill_diagonal(se, 0.0)
    return Differences(
        value, se, np.zeros(se.shape, dtype=bool), corrected(two_sided(value, se, degrees))
    )


def _welch(variances: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Standard errors and degrees of freedom of all differences, (m, m) each."""
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = variances / counts
        total = squares[:, None] + squares
        fourth = squares**2 / (counts - 1)
        degrees = total**2 / (fourth[:, None] + fourth)
    enough = counts[:, None] + counts - 2
    degrees = np.where((total == 0) & (enough > 1), enough, degrees)  # no spread at all
    return np.sqrt(total), np.nan_to_num(degrees)


def _pooled(variances: Floats, counts: Floats) -> tuple[float, float]:
    """Variance over seeds that all settings with several seeds share, and its degrees."""
    several = counts > 1
    freedom = counts[several] - 1
    return float((variances[several] * freedom).sum() / freedom.sum()), float(freedom.sum())

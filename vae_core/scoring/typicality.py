"""Typicality of an image: its place among held-out images in several figures.

A raw log p(x) says little (Nalisnick et al. 2019, arXiv 1810.09136 and 1906.02994), so a verdict
never rests on it alone. Each figure is turned into its tail: the share of held-out images that are
as extreme. The tails are merged by their generalised mean with exponent −½ (Vovk & Wang 2020,
arXiv 1212.4966). In Fisher's product one extreme figure cannot decide; in the minimum the other
figures do not count. In this mean both do. Because the figures depend on each other, the mean is
compared with the means of the held-out images (Westfall & Young 1993). An image of the data is
exchangeable with the held-out images, so its p-value is α or less with probability α at most.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from vae_core.scoring.figures.table import FIGURES
from vae_core.settings.options import FALSE_ALARMS

Verdict = Literal["typical", "unusual", "unlike the training data"]

UNUSUAL_TIMES = 2.5
"""An image is called unusual up to so many times the false-alarm rate."""

_ROUNDING = 1e-9  # tolerance for a sum over figures, and for a rate


def verdict_of(p_value: float, false_alarms: float = FALSE_ALARMS) -> Verdict:
    """Return the verdict for a p-value.

    Args:
        false_alarms: α, the share of images of the data that may be called unlike it.
    """
    if p_value <= false_alarms + _ROUNDING:
        return "unlike the training data"
    unusual = UNUSUAL_TIMES * false_alarms + _ROUNDING
    return "unusual" if p_value <= unusual else "typical"


@dataclass(frozen=True)
class Judgement:
    """The place of an image among held-out images, in each figure and over all figures.

    Attributes:
        p_value: probability that an image of the data is as extreme over all figures, 0 to 1.
        values: the figures in their units, by the calibration's protocol.
        compared: what was compared of each figure: its value, or its place in its stratum
            (:mod:`vae_core.scoring.strata`).
        percentiles: for each figure, the share of held-out images with a lower value, 0 to 100;
            ties count half.
        tails: for each figure, the share of images that are as extreme, 0 to 1, including the
            image itself.
        images: number of held-out images.
        false_alarms: α of the verdict.
    """

    p_value: float
    values: Mapping[str, float]
    compared: Mapping[str, float]
    percentiles: Mapping[str, float]
    tails: Mapping[str, float]
    images: int
    false_alarms: float = FALSE_ALARMS

    @property
    def verdict(self) -> Verdict:
        """The verdict for the p-value, at the chosen false-alarm rate."""
        return verdict_of(self.p_value, self.false_alarms)

    @property
    def decided_by(self) -> str:
        """The name of the figure with the smallest tail."""
        return min(self.tails, key=self.tails.__getitem__)

    @property
    def unusualness(self) -> float:
        """The mean of 1/√tail over all figures, 1 to √(N + 1). The p-value counts it."""
        return sum(tail**-0.5 for tail in self.tails.values()) / len(self.tails)

    @property
    def as_unusual(self) -> int:
        """Number of held-out images that are at least as unusual, of ``images``."""
        return round(self.p_value * (self.images + 1)) - 1


@dataclass(frozen=True)
class Reference:
    """The figures of N held-out images.

    Attributes:
        figures: what is compared, (N, F) float64 on the CPU, in the order of FIGURES.
        values: the figures in their units, for percentiles, (N, F); None if those are compared.
    """

    figures: Tensor
    values: Tensor | None = None

    def judge(
        self, figures: Tensor, false_alarms: float = FALSE_ALARMS, values: Tensor | None = None
    ) -> list[Judgement]:
        """Compare the figures of B images, (B, F), with those of the held-out images.

        Args:
            values: the figures of the B images in their units, as for the held-out images.
        """
        values = figures if values is None else values
        tails, p_values = self.tails(figures), self.p_values(figures)
        columns = {
            "values": values,
            "compared": figures,
            "percentiles": self._percentiles(values),
            "tails": tails,
        }
        return [
            Judgement(
                p,
                **{name: _by_figure(column[index]) for name, column in columns.items()},
                images=len(self.figures),
                false_alarms=false_alarms,
            )
            for index, p in enumerate(p_values.tolist())
        ]

    def tails(self, figures: Tensor) -> Tensor:
        """Compute the share of images as extreme as each of B images, in each figure, (B, F).

        The image itself is counted. A figure that is NaN is more extreme than all others.
        """
        above, below = self._ordered.counts(figures)
        return _tails(1 + above, 1 + below, len(self.figures) + 1)

    def p_values(self, figures: Tensor) -> Tensor:
        """Compute the share of images whose merged tails are as small, for each of B images.

        The image itself is counted. The tails of the held-out images are computed with the new
        image among them, so that all images are treated alike and the p-value is exact.

        Returns:
            (B,), float64, 1 / (N + 1) at least.
        """
        combined = _combined(self.tails(figures)) + _ROUNDING
        total = len(self.figures) + 1
        result = []
        for image, tail in zip(figures, combined, strict=True):
            among = _combined(self._tails_beside(image))
            result.append((1 + int((among <= tail).sum())) / total)
        return torch.tensor(result, dtype=torch.float64)

    def unusualness(self, judgement: Judgement) -> Tensor:
        """Compute the unusualness of the held-out images with one more image among them, (N,).

        See :attr:`Judgement.unusualness`.
        """
        image = torch.tensor([judgement.compared[name] for name in FIGURES], dtype=torch.float64)
        return -_combined(self._tails_beside(image)) / len(FIGURES)

    def _tails_beside(self, image: Tensor) -> Tensor:
        """Tails of the held-out images with one more image (F,) among them, (N, F)."""
        above, below = self._counts
        as_high, as_low = ~(image < self.figures), ~(image > self.figures)
        return _tails(above + as_high, below + as_low, len(self.figures) + 1)

    @cached_property
    def _counts(self) -> tuple[Tensor, Tensor]:
        return self._ordered.counts(self.figures)

    @cached_property
    def _ordered(self) -> "_Ordered":
        return _Ordered.of(self.figures)

    @cached_property
    def _ordered_values(self) -> "_Ordered":
        return self._ordered if self.values is None else _Ordered.of(self.values)

    def _percentiles(self, values: Tensor) -> Tensor:
        above, below = self._ordered_values.counts(values)
        return 50 * (below + len(self.figures) - above).double() / len(self.figures)


@dataclass(frozen=True)
class _Ordered:
    """Columns of figures in ascending order, (F, N), with infinity in place of NaN.

    Attributes:
        known: number of entries in each column that are not NaN, (F, 1).
    """

    columns: Tensor
    known: Tensor

    @classmethod
    def of(cls, figures: Tensor) -> "_Ordered":
        columns = figures.masked_fill(figures.isnan(), torch.inf).T.contiguous().sort(1).values
        return cls(columns, (~figures.isnan()).sum(0)[:, None])

    def counts(self, figures: Tensor) -> tuple[Tensor, Tensor]:
        """Count the entries at least, and at most, as high as each of (B, F): (B, F) each.

        NaN is neither.
        """
        values = figures.T.contiguous()
        above = self.known - torch.searchsorted(self.columns, values)
        below = torch.searchsorted(self.columns, values, right=True).minimum(self.known)
        unknown = values.isnan()
        return above.masked_fill(unknown, 0).T, below.masked_fill(unknown, 0).T


def limit_at(held_out: Tensor, rate: float) -> float | None:
    """Return the unusualness above which the p-value of an image is at most ``rate``.

    Args:
        held_out: unusualness of N held-out images, (N,), from :meth:`Reference.unusualness`.

    Returns:
        The limit; None if the held-out images are too few for this rate.
    """
    as_unusual = math.floor(rate * (len(held_out) + 1) + _ROUNDING) - 1
    if as_unusual < 0:
        return None
    return held_out.sort(descending=True).values[min(as_unusual, len(held_out) - 1)].item()


def _tails(above: Tensor, below: Tensor, total: int) -> Tensor:
    """Turn counts into shares of ``total`` images, one- or two-sided as each figure requires."""
    two_sided = torch.tensor([figure.two_sided for figure in FIGURES.values()])
    both = (2 * torch.minimum(above, below)).clamp(max=total)
    return torch.where(two_sided, both, above).double() / total


def _combined(tails: Tensor) -> Tensor:
    """A monotone function of the generalised mean of each row, (B,); lower is more extreme."""
    return -tails.rsqrt().sum(1)


def _by_figure(row: Tensor) -> dict[str, float]:
    return dict(zip(FIGURES, row.tolist(), strict=True))

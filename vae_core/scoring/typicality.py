"""How typical an image is of the data, by its place among held-out images in several figures.

A raw log p(x) says little (Nalisnick et al. 2019, arXiv 1810.09136 and 1906.02994), so a verdict
never comes from one. Each figure becomes its tail, the share of held-out images that are as
extreme. The tails are merged by their generalised mean with exponent −½ (Vovk & Wang 2020, arXiv
1212.4966), which one extreme figure decides, unlike Fisher's product, and in which the others have
a say, unlike in their minimum. And since the figures depend on each other, that mean is itself
compared with those of the held-out images (Westfall & Young 1993): an image of the data is
exchangeable with them, so it gets a p-value of α or less with probability α at most.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from vae_core.scoring.figures.table import FIGURES

Verdict = Literal["typical", "unusual", "unlike the training data"]

UNUSUAL, UNLIKE = 0.1, 0.04
"""False-alarm rates: the share of images of the data called unusual or worse, and called unlike it.

4 in 100 on the average, and 4 ± 1 by one calibration with 500 held-out images, which are a sample
themselves: more than 5 once in eight calibrations.
"""

_ROUNDING = 1e-9  # in a sum over figures


def verdict_of(p_value: float) -> Verdict:
    """A p-value in words."""
    if p_value <= UNLIKE:
        return "unlike the training data"
    return "unusual" if p_value <= UNUSUAL else "typical"


@dataclass(frozen=True)
class Judgement:
    """The place of an image among held-out images, figure by figure and over all of them.

    Attributes:
        p_value: how rarely an image of the data would be so extreme over all figures, 0 to 1.
        values: the figures that were compared, in their units, by the calibration's protocol.
        percentiles: the share of held-out images that are lower in each, 0 to 100; ties count half.
        tails: the share of images as extreme in each, 0 to 1, the image itself counted in.
        images: how many held-out images there are.
    """

    p_value: float
    values: Mapping[str, float]
    percentiles: Mapping[str, float]
    tails: Mapping[str, float]
    images: int

    @property
    def verdict(self) -> Verdict:
        """The p-value in words, at the rates :data:`UNUSUAL` and :data:`UNLIKE`."""
        return verdict_of(self.p_value)

    @property
    def decided_by(self) -> str:
        """The name of the figure with the smallest tail."""
        return min(self.tails, key=self.tails.__getitem__)


@dataclass(frozen=True)
class Reference:
    """The figures of N held-out images, (N, F) float64 on the CPU, in the order of FIGURES."""

    figures: Tensor

    def judge(self, figures: Tensor) -> list[Judgement]:
        """Compare images with such figures, (B, F), with the held-out ones."""
        tails, p_values = self.tails(figures), self.p_values(figures)
        return [
            Judgement(p, _by_figure(values), _by_figure(below), _by_figure(tail), len(self.figures))
            for p, values, below, tail in zip(
                p_values.tolist(), figures, self._percentiles(figures), tails, strict=True
            )
        ]

    def tails(self, figures: Tensor) -> Tensor:
        """The share of images as extreme as each of B, itself counted in, figure by figure: (B, F).

        A figure that is not a number is more extreme than all.
        """
        above, below = self._counts(figures)
        return _tails(1 + above, 1 + below, len(self.figures) + 1)

    def p_values(self, figures: Tensor) -> Tensor:
        """The share of images whose tails are as small on the whole, for each of B, itself too.

        The held-out images' own tails are counted with the new image among them, so that all are
        treated alike and the p-value is exact.

        Returns:
            (B,), float64, 1 / (N + 1) at least.
        """
        combined = _combined(self.tails(figures)) + _ROUNDING
        above, below = self._counts(self.figures)
        total = len(self.figures) + 1
        result = []
        for image, tail in zip(figures, combined, strict=True):
            as_high, as_low = ~(image < self.figures), ~(image > self.figures)
            among = _tails(above + as_high, below + as_low, total)
            result.append((1 + (_combined(among) <= tail).sum()) / total)
        return torch.stack(result).double() if result else torch.empty(0, dtype=torch.float64)

    def _counts(self, figures: Tensor) -> tuple[Tensor, Tensor]:
        """How many held-out images are at least, and at most, as high as each: (B, F) each."""
        values = figures[:, None]
        return (self.figures >= values).sum(1), (self.figures <= values).sum(1)

    def _percentiles(self, figures: Tensor) -> Tensor:
        above, below = self._counts(figures)
        return 50 * (below + len(self.figures) - above).double() / len(self.figures)


def _tails(above: Tensor, below: Tensor, total: int) -> Tensor:
    """One- or two-sided shares of so many images, as each figure has it."""
    two_sided = torch.tensor([figure.two_sided for figure in FIGURES.values()])
    both = (2 * torch.minimum(above, below)).clamp(max=total)
    return torch.where(two_sided, both, above).double() / total


def _combined(tails: Tensor) -> Tensor:
    """What orders rows of tails as their generalised mean does, (B,); lower is more extreme."""
    return -tails.rsqrt().sum(1)


def _by_figure(row: Tensor) -> dict[str, float]:
    return dict(zip(FIGURES, row.tolist(), strict=True))

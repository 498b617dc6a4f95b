"""Strata of images: the figures of an image are compared with what is usual for images like it.

The most extreme values of a figure come from the hardest and the easiest class: a handwritten one
has a far higher log p(x) than an eight. A verdict on the plain figures calls three times as many
ones unlike the data as it should. So each figure is first measured from the median of its stratum,
in spreads of its stratum (normalised nonconformity scores, Papadopoulos, Gammerman & Vovk 2008;
Lei et al. 2018, arXiv 1604.04173). The stratum of an image is its most probable class: by the class
head of the model at the posterior mean, or by a logistic regression on it. Both, the medians and
the spreads come from training images alone: the held-out images and a new image get the same fixed
function of theirs, so a p-value stays exact. It is exact over all images together; over one stratum
it is so about.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

FEWEST_OF_A_STRATUM = 25
"""A stratum with fewer training images has the median and the spread of all images."""
_QUANTILES = 0.1, 0.5, 0.9
_SMALLEST_SPREAD = 1e-9


@dataclass(frozen=True)
class Strata:
    """The usual values of F figures in each of G strata.

    Attributes:
        median: of each figure, (G, F), float64.
        below, above: from the 10 % quantile to the median, and from there to the 90 % quantile,
            (G, F), float64, positive.
    """

    median: Tensor
    below: Tensor
    above: Tensor

    @classmethod
    def fitted(cls, figures: Tensor, strata: Tensor, count: int) -> "Strata":
        """Measure the usual values of the figures (N, F) of training images in each stratum.

        Args:
            strata: of the images, (N,), int64, below ``count``.
        """
        usual = [_usual(figures, strata == index) for index in range(count)]
        low, median, high = torch.stack(usual, 1)  # (3, G, F)
        return cls(
            median,
            (median - low).clamp_min(_SMALLEST_SPREAD),
            (high - median).clamp_min(_SMALLEST_SPREAD),
        )

    def __len__(self) -> int:
        return len(self.median)

    def compare(self, figures: Tensor, strata: Tensor) -> Tensor:
        """Measure figures (B, F) from the medians of their strata (B,), in spreads: (B, F)."""
        away = figures - self.median[strata]
        return away / torch.where(away > 0, self.above[strata], self.below[strata])


def _usual(figures: Tensor, inside: Tensor) -> Tensor:
    """Three quantiles of each figure, (3, F): of the images inside, or of all if they are few."""
    chosen = figures[inside] if int(inside.sum()) >= FEWEST_OF_A_STRATUM else figures
    return chosen.nanquantile(torch.tensor(_QUANTILES, dtype=figures.dtype), 0).nan_to_num()

"""Strata of images: the figures of an image are compared with what is usual for images like it.

The most extreme values of a figure come from the hardest and the easiest class: a handwritten one
has a far higher log p(x) than an eight. A verdict on the plain figures calls three times as many
ones unlike the data as it should. So each figure is first measured from the median of its stratum,
in spreads of its stratum (normalised nonconformity scores, Papadopoulos, Gammerman & Vovk 2008;
Lei et al. 2018, arXiv 1604.04173). The strata, medians and spreads come from training images alone:
the held-out images and a new image get the same fixed function of theirs, so a p-value stays exact.
It is exact over all images together; over one stratum it is so about.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.analysis.classification import LatentClassifier

FEWEST_OF_A_STRATUM = 25
"""A stratum with fewer training images has the median and the spread of all images."""
_QUANTILES = 0.1, 0.5, 0.9
_SMALLEST_SPREAD = 1e-9


@dataclass(frozen=True)
class Strata:
    """G strata by the latent of an image, with the usual values of F figures in each.

    Attributes:
        weight, bias: W, (G, d), and b, (G,), float32; the stratum of an image with the whitened
            posterior mean u has the largest entry of W u + b.
        median: of each figure, (G, F), float64.
        below, above: from the 10 % quantile to the median, and from there to the 90 % quantile,
            (G, F), float64, positive.
    """

    weight: Tensor
    bias: Tensor
    median: Tensor
    below: Tensor
    above: Tensor

    @classmethod
    def of_classes(
        cls, classifier: LatentClassifier, figures: Tensor, whitened: Tensor
    ) -> "Strata":
        """Make strata that are the most probable class; see :meth:`fitted`."""
        return cls.fitted(classifier.weight, classifier.bias, figures, whitened)

    @classmethod
    def fitted(cls, weight: Tensor, bias: Tensor, figures: Tensor, whitened: Tensor) -> "Strata":
        """Measure the usual values of the figures (N, F) of training images in each stratum.

        Args:
            weight, bias: as in the attributes.
            whitened: posterior means of these images, (N, d), in standard deviations of the
                aggregate posterior.
        """
        strata = _largest(weight, bias, whitened)
        usual = torch.stack(
            [_usual(figures, strata == index) for index in range(len(bias))], 1
        )  # (3, G, F)
        low, median, high = usual
        return cls(
            weight,
            bias,
            median,
            (median - low).clamp_min(_SMALLEST_SPREAD),
            (high - median).clamp_min(_SMALLEST_SPREAD),
        )

    def of(self, whitened: Tensor) -> Tensor:
        """Find the stratum of each image by its whitened posterior mean, (B, d): (B,), int64."""
        return _largest(self.weight, self.bias, whitened)

    def compare(self, figures: Tensor, strata: Tensor) -> Tensor:
        """Measure figures (B, F) from the medians of their strata (B,), in spreads: (B, F)."""
        away = figures - self.median[strata]
        return away / torch.where(away > 0, self.above[strata], self.below[strata])


def _largest(weight: Tensor, bias: Tensor, whitened: Tensor) -> Tensor:
    return (whitened @ weight.T + bias).argmax(1)


def _usual(figures: Tensor, inside: Tensor) -> Tensor:
    """Three quantiles of each figure, (3, F): of the images inside, or of all if they are few."""
    chosen = figures[inside] if int(inside.sum()) >= FEWEST_OF_A_STRATUM else figures
    return chosen.nanquantile(torch.tensor(_QUANTILES, dtype=figures.dtype), 0).nan_to_num()

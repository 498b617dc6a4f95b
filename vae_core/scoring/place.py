"""The place of an image's log p̂(x) among the values of held-out images.

Raw likelihoods mislead (Nalisnick et al. 2019, arXiv 1810.09136): a plain image may score higher
than every image of the data. A two-sided percentile among held-out images says more.
"""

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Place:
    """The place of an image among held-out images of the same protocol.

    Attributes:
        log_px: log p̂(x) of the image in nats, with the same K as the held-out images, because the
            estimate rises with K.
        lower: number of held-out images with a lower score.
        equal: number of held-out images with the same score.
        images: number of held-out images.
    """

    log_px: float
    lower: float
    equal: float
    images: int

    @classmethod
    def among(cls, held_out: Tensor, log_px: float) -> "Place":
        """Find the place of a score among the scores of held-out images, (N,), with the same K."""
        lower, equal = (held_out < log_px).sum(), (held_out == log_px).sum()
        return cls(log_px, float(lower), float(equal), len(held_out))

    @property
    def percentile(self) -> float:
        """Share of held-out images with a lower score, 0 to 100; ties count half."""
        return 100 * (self.lower + self.equal / 2) / self.images

    @property
    def percentile_se(self) -> float:
        """Standard error of the percentile; never 0 (Agresti & Coull 1998)."""
        share = (self.lower + self.equal / 2 + 2) / (self.images + 4)
        return 100 * math.sqrt(share * (1 - share) / (self.images + 4))

    @property
    def tail(self) -> float:
        """Two-sided p-value: probability that an image of the data scores as extremely, 0 to 1.

        An image of the data falls below any level α with probability α at most.
        """
        below, above = self.lower + self.equal, self.images - self.lower
        return min(1.0, 2 * (1 + min(below, above)) / (self.images + 1))

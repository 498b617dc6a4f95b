"""The place of an image's log p̂(x) among those of held-out images.

Raw likelihoods mislead (Nalisnick et al. 2019, arXiv 1810.09136): a plain image may score above
every image of the kind that the model knows. A two-sided percentile among such images says more.
"""

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Place:
    """Where an image stands among held-out images of the same protocol.

    Attributes:
        log_px: its log p̂(x) in nats, with as many importance samples as the held-out images got:
            the estimate rises with K, so only equal K compare.
        lower, equal, images: how many held-out images score lower or the same, and how many there
            are.
    """

    log_px: float
    lower: float
    equal: float
    images: int

    @classmethod
    def among(cls, held_out: Tensor, log_px: float) -> "Place":
        """Find the place of a score among those of held-out images, (N,), with the same K."""
        lower, equal = (held_out < log_px).sum(), (held_out == log_px).sum()
        return cls(log_px, float(lower), float(equal), len(held_out))

    @property
    def percentile(self) -> float:
        """The share of held-out images that score lower, 0 to 100; ties count half."""
        return 100 * (self.lower + self.equal / 2) / self.images

    @property
    def percentile_se(self) -> float:
        """Its standard error for the number of held-out images, never 0 (Agresti & Coull 1998)."""
        share = (self.lower + self.equal / 2 + 2) / (self.images + 4)
        return 100 * math.sqrt(share * (1 - share) / (self.images + 4))

    @property
    def tail(self) -> float:
        """The two-sided p-value: how rarely an image of the data would score so far out, 0 to 1.

        An image of the data falls below any level α with probability α at most.
        """
        below, above = self.lower + self.equal, self.images - self.lower
        return min(1.0, 2 * (1 + min(below, above)) / (self.images + 1))

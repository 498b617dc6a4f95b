"""Standard error of log p̂(x) from independent batches of the draws.

The delta method takes the draws for independent, and its formula is too small when the tail of the
weights is heavy. Estimates from batches need neither assumption.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

BATCHES = 8
_STUDENT = 2.365 / 1.960  # 97.5 % quantiles of Student's t (7 degrees of freedom) and of N(0, 1)


@dataclass(frozen=True)
class BatchSums:
    """log Σ w of the draws k with the same k modulo 8.

    Attributes:
        log_sums: (8, B), in nats.
        samples: number of draws so far.
    """

    log_sums: Tensor
    samples: int = 0

    def and_more(self, log_w: Tensor) -> "BatchSums":
        """Add draws with log weights (n, B)."""
        count, images = log_w.shape
        numbers = torch.arange(self.samples, self.samples + count, device=log_w.device)
        lowest = torch.finfo(log_w.dtype).min
        top = log_w.nan_to_num(nan=lowest, posinf=0.0).amax(0).clamp_min(lowest)
        sums = log_w.new_zeros(BATCHES, images)
        sums = sums.index_add_(0, numbers % BATCHES, (log_w - top).exp()).log() + top
        if self.samples:
            sums = torch.logaddexp(self.log_sums, sums)
        return BatchSums(sums, self.samples + count)

    def images(self, chosen: Tensor) -> "BatchSums":
        """Return the sums of some of the images."""
        return BatchSums(self.log_sums[:, chosen], self.samples)

    def se(self, log_total: Tensor) -> Tensor:
        """Standard error of log p̂(x), (B,), in nats, for log Σ w of all draws, (B,).

        It is widened so that ± 2 of it hold 95 %, by Student's t. It is 0, because it is not known,
        if a batch has fewer than two draws.
        """
        if self.samples < 2 * BATCHES:
            return torch.zeros_like(log_total)
        each, more = divmod(self.samples, BATCHES)
        counts = each + (torch.arange(BATCHES, device=log_total.device) < more).to(log_total)
        ratios = (self.log_sums - log_total).exp() * self.samples / counts[:, None]
        return _STUDENT * ratios.std(0) / math.sqrt(BATCHES)

"""The Bernoulli log-likelihood of an image in few passes over its pixels, and its gradient."""

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_MOST_FACTORS = 120  # each at most 2, of a product that stays below 2¹²⁸, where float32 ends


class BernoulliLogProb(torch.autograd.Function):
    """Σ_i x_i l_i − log(1 + e^{l_i}) for images x (B, D) and logits l (n, B, D): (n, B), in nats.

    Written as Σ_i (x_i − ½) l_i − ½|l_i| − log(1 + e^{−|l_i|}), where the factors 1 + e^{−|l|} lie
    in (1, 2]: a logarithm is taken of the product of many, not of each.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:
        ctx.save_for_backward(x, logits)
        factors = logits.abs().neg_()
        log_prob = torch.mul(logits, x - 0.5).sum(-1).add_(factors.sum(-1), alpha=0.5)
        factors.exp_().add_(1.0)
        groups = factors.unflatten(-1, (-1, _group_size(factors.shape[-1])))
        return log_prob.sub_(groups.prod(-1).log_().sum(-1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        x, logits = ctx.saved_tensors
        return None, torch.sub(x, logits.sigmoid()).mul_(grad_outputs[0][..., None])


@lru_cache
def _group_size(count: int) -> int:
    """The largest divisor that is not above the most factors."""
    return max(each for each in range(1, min(count, _MOST_FACTORS) + 1) if count % each == 0)

"""The Bernoulli log-likelihood of an image in few passes over its pixels, and its gradient."""

from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from vae_core.basics.batched import times
from vae_core.model.likelihoods.base import Likelihood

# From here on σ is 1 even in float64; a little further its exponential is a denormal number in
# float32, over which processors take many times longer.
_CERTAIN = 80.0
_MOST_FACTORS = 120  # each at least ½, of a product that stays above 2⁻¹²⁶, where float32 ends


class BernoulliLogProb(torch.autograd.Function):
    """Σ_i x_i l_i − log(1 + e^{l_i}) for images x (B, D) and logits l (n, B, D): (n, B), in nats.

    Written as Σ_i x_i l_i − max(l_i, 0) + log σ(|l_i|), where σ(|l|) lies in [½, 1): a logarithm
    is taken of the product of many, not of each. Where a pixel is surely off, with l far below 0,
    every term vanishes, so that the largest logits of a long training need not cancel.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:
        ctx.save_for_backward(x, logits)
        log_prob = times(x[:, None], logits)[..., 0]
        size = logits.clamp_min(0)
        log_prob.sub_(size.sum(-1))
        torch.abs(logits, out=size).clamp_max_(_CERTAIN).sigmoid_()
        factors = size.unflatten(-1, (-1, _group_size(size.shape[-1])))
        return log_prob.add_(factors.prod(-1).log_().sum(-1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        x, logits = ctx.saved_tensors
        return None, torch.sub(x, logits.sigmoid()).mul_(grad_outputs[0][..., None])


@lru_cache
def _group_size(count: int) -> int:
    """The largest divisor that is not above the most factors."""
    return max(each for each in range(1, min(count, _MOST_FACTORS) + 1) if count % each == 0)


class Bernoulli(Likelihood):
    """Binary pixels: log p = x l − log(1 + e^l), l the logit.

    Grey values give the cross-entropy, which is not a likelihood of binary data.
    """

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        return x * outputs + F.logsigmoid(-outputs)  # exact where softplus gives up, beyond 20

    def forward(self, x: Tensor, outputs: Tensor) -> Tensor:
        return cast(Tensor, BernoulliLogProb.apply(x, outputs))

    def mean(self, outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(torch.sigmoid(outputs), generator=generator)

    def initial_outputs(self, mean: Tensor) -> Tensor:
        return torch.logit(mean.clamp(0.005, 0.995))

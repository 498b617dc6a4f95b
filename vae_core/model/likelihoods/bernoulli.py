"""The Bernoulli likelihood, computed in few passes over the pixels, and its gradient."""

from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from vae_core.basics.batched import times
from vae_core.model.likelihoods.base import Likelihood

# Above this value σ is 1 even in float64. For slightly larger values the exponential is a denormal
# number in float32, with which processors are many times slower.
_CERTAIN = 80.0
_MOST_FACTORS = 120  # factors of at least ½ each: the product stays above 2⁻¹²⁶, float32's limit


class BernoulliLogProb(torch.autograd.Function):
    """Σ_i x_i l_i − log(1 + e^{l_i}) for images x (B, D) and logits l (n, B, D): (n, B), in nats.

    Computed as Σ_i x_i min(l_i, 0) − (1 − x_i) max(l_i, 0) + log σ(|l_i|). No term is positive, so
    the large logits of a long training need not cancel. Because σ(|l|) lies in [½, 1), one
    logarithm is taken of a product of many factors.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:
        ctx.save_for_backward(x, logits)
        size = logits.clamp_min(0)
        log_prob = times((x - 1)[:, None], size)[..., 0]
        torch.sub(logits, size, out=size)  # min(l, 0)
        log_prob.add_(times(x[:, None], size)[..., 0])
        return log_prob.add_(_log_sigmoid_of_size(logits, size))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor]:  # type: ignore[override]
        x, logits = ctx.saved_tensors
        return None, torch.sub(x, logits.sigmoid()).mul_(grad_outputs[0][..., None])


def _log_sigmoid_of_size(logits: Tensor, out: Tensor) -> Tensor:
    """Σ_i log σ(|l_i|) of logits (…, D): (…); ``out`` is overwritten."""
    torch.abs(logits, out=out).clamp_max_(_CERTAIN).sigmoid_()
    factors = out.unflatten(-1, (-1, _group_size(out.shape[-1])))
    return factors.prod(-1).log_().sum(-1)


@lru_cache
def _group_size(count: int) -> int:
    """Find the largest divisor of ``count`` up to ``_MOST_FACTORS``."""
    return max(each for each in range(1, min(count, _MOST_FACTORS) + 1) if count % each == 0)


class Bernoulli(Likelihood):
    """Binary pixels: log p = x l − log(1 + e^l), where l is the logit.

    For grey values this is the cross-entropy, which is not a likelihood of binary data.
    """

    support = (0.0, 1.0)
    is_binary = True

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        return x * outputs + F.logsigmoid(-outputs)  # exact above 20 too, unlike softplus

    def forward(self, x: Tensor, outputs: Tensor) -> Tensor:
        return cast(Tensor, BernoulliLogProb.apply(x, outputs))

    def at_shared(self, x: Tensor, outputs: Tensor) -> Tensor:
        """As the gradient-free part of :class:`BernoulliLogProb`, by two matrix products."""
        size = outputs.clamp_min(0)
        log_px_z = size @ (x - 1).T + torch.sub(outputs, size) @ x.T
        return log_px_z + _log_sigmoid_of_size(outputs, size)[:, None]

    def mean(self, outputs: Tensor) -> Tensor:
        return torch.sigmoid(outputs)

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(torch.sigmoid(outputs), generator=generator)

    def initial_outputs(self, mean: Tensor) -> Tensor:
        return torch.logit(mean.clamp(0.005, 0.995))

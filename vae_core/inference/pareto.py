"""Pareto k̂ of importance weights (Vehtari et al., arXiv 1507.02646), and when to trust an estimate.

A generalised Pareto distribution is fitted to the largest weights, as ArviZ does. Its shape k̂ says
how heavy their tail is. If k̂ is above a limit (:func:`largest_trusted_k`), or few draws carry the
weight of a mode, neither the importance-sampling estimate nor its standard error should be trusted.
"""

import math

import torch
from torch import Tensor

TRUSTED_PARETO_K = 0.7
TRUSTED_ESS = 30.0  # with fewer effective draws, one draw may dominate and hide the tail
FEWEST_FOR_PARETO_K = 21
"""Smallest K with a k̂: its tail has five weights."""
_FEWEST_IN_THE_TAIL = 5
_PRIOR_WEIGHT = 10  # weight of the prior belief in k = 0.5, in draws (their appendix C)
_FLAT = 1e-12  # the largest weight exceeds the threshold by less than this share of itself: no tail
_LOG_TINY = math.log(torch.finfo(torch.float64).tiny)


def largest_trusted_k(samples: int) -> float:
    """Return the largest k̂ to trust at K = ``samples``: min(1 − 1/log₁₀ K, 0.7)."""
    return min(1 - 1 / math.log10(samples), TRUSTED_PARETO_K) if samples > 1 else -math.inf


def trustworthy(pareto_k: float, ess: float, samples: int) -> bool:
    """Whether an estimate and its standard error can be trusted, by the tail, the ESS and K.

    k̂ is fitted to the draws. It cannot see a tail in a region where q has hardly any draws.
    """
    return bool(trusted(torch.tensor(pareto_k), torch.tensor(ess), samples))


def trusted(pareto_k: Tensor, ess: Tensor, samples: int, modes: Tensor | None = None) -> Tensor:
    """Apply :func:`trustworthy` to the k̂ and the ESS of each image, (B,) each: (B,) bool.

    Args:
        modes: how many modes of p(z|x) the proposal found, (B,); each needs an ESS of 30. Where
            many were found, others were probably missed.
    """
    wanted = TRUSTED_ESS if modes is None else TRUSTED_ESS * modes.clamp_min(1)
    light = (pareto_k <= largest_trusted_k(samples)) & (ess >= wanted)  # False for NaN
    return light | (pareto_k == -math.inf)


def tail_length(samples: int) -> int:
    """Number of the largest weights that the fit uses: ⌈min(K/5, 3√K)⌉."""
    return math.ceil(min(samples / 5, 3 * math.sqrt(samples)))


def pareto_k(log_weights: Tensor) -> Tensor:
    """Compute k̂ for each column of the largest log weights.

    Weights may be so far apart that most of them underflow beside the largest one. So the threshold
    is raised to the logarithm of the smallest float, relative to the largest weight, and only the
    weights above the threshold are fitted.

    Args:
        log_weights: the ``tail_length(K) + 1`` largest log weights of each image, largest first,
            shape (M + 1, B). The last row is the threshold.

    Returns:
        k̂, shape (B,), float64. −inf if all weights are equal (no tail), +inf if fewer than five
        weights are above the threshold, NaN if K is below 21 or a weight is not a number.
    """
    tail = log_weights[:-1].double() - log_weights[:1].double()
    threshold = (log_weights[-1:].double() - log_weights[:1].double()).clamp_min(_LOG_TINY)
    if tail.shape[0] < _FEWEST_IN_THE_TAIL:
        return torch.full((tail.shape[1],), math.nan, dtype=torch.float64)
    exceedances = (tail.exp() - threshold.exp()).flip(0)  # (M, B), smallest first
    exceedances = torch.where((tail > threshold).flip(0), exceedances, 0)
    k = torch.full_like(exceedances[0], torch.inf)
    counts = (exceedances > 0).sum(0)
    for count in counts.unique().tolist():
        if count >= _FEWEST_IN_THE_TAIL:
            chosen = counts == count
            k[chosen] = _shape(exceedances[-count:, chosen])
    k = torch.where(exceedances[-1] <= _FLAT, -torch.inf, k)
    return torch.where(tail.isnan().any(0), torch.nan, k).cpu()


def _shape(x: Tensor) -> Tensor:
    """Compute k̂ of positive exceedances x (M, B), sorted ascending, with a prior on k; (B,)."""
    count = x.shape[0]
    k = (count * _fit_shape(x) + _PRIOR_WEIGHT * 0.5) / (count + _PRIOR_WEIGHT)
    return torch.where(k.isfinite(), k, torch.inf)


def _fit_shape(x: Tensor) -> Tensor:
    """Fit the shape of a generalised Pareto (Zhang & Stephens 2009), x (M, B) sorted ascending."""
    count = x.shape[0]
    grid = 30 + int(math.sqrt(count))
    quartile = x[int(count / 4 + 0.5) - 1]
    steps = torch.arange(1, grid + 1, dtype=x.dtype, device=x.device) - 0.5
    theta = 1 / x[-1] + (1 - (grid / steps).sqrt())[:, None] / (3 * quartile)  # (G, B)
    shapes = torch.log1p(-theta[:, None] * x).mean(1)  # (G, B)
    log_likelihood = count * (torch.log(-theta / shapes) - shapes - 1)
    weights = torch.softmax(log_likelihood, 0)
    weights = torch.where(weights >= 10 * torch.finfo(x.dtype).eps, weights, 0)
    best = (weights * theta).sum(0) / weights.sum(0)
    return torch.log1p(-best * x).mean(0)

"""Pareto k̂ of importance weights (Vehtari et al., arXiv 1507.02646).

A generalised Pareto distribution is fitted to the largest weights. Its shape k̂ says how heavy
their tail is. If k̂ is above 0.7, the importance-sampling estimate should not be trusted.
"""

import math

import torch
from torch import Tensor

TRUSTED_PARETO_K = 0.7
TRUSTED_ESS = 30.0  # with fewer effective draws, one draw may dominate and hide the tail
_PRIOR_WEIGHT = 10  # weight of the prior belief in k = 0.5, in draws (their appendix C)


def trustworthy(pareto_k: float, ess: float) -> bool:
    """Whether an estimate can be trusted, by the tail of its weights and the ESS.

    k̂ is fitted to the draws. It cannot see a tail in a region where q has hardly any draws.
    """
    return pareto_k == -math.inf or (pareto_k <= TRUSTED_PARETO_K and ess >= TRUSTED_ESS)


def tail_length(samples: int) -> int:
    """Number of the largest weights that the fit uses: ⌈min(K/5, 3√K)⌉."""
    return math.ceil(min(samples / 5, 3 * math.sqrt(samples)))


def pareto_k(log_weights: Tensor) -> Tensor:
    """Compute k̂ for each column of the largest log weights.

    Args:
        log_weights: the ``tail_length(K) + 1`` largest log weights of each image, largest first,
            shape (M + 1, B). The last row is the threshold.

    Returns:
        k̂, shape (B,), float64. −inf if all weights are equal (no tail), NaN if the tail has fewer
        than five weights.
    """
    tail, threshold = log_weights[:-1].double(), log_weights[-1:].double()
    if tail.shape[0] < 5:
        return torch.full((tail.shape[1],), math.nan, dtype=torch.float64)
    top = tail[:1]
    exceedances = (tail - top).exp() - (threshold - top).exp()  # (M, B), largest first
    flat = exceedances[0] <= 1e-12
    shape = _fit_shape(torch.where(flat, torch.ones_like(exceedances), exceedances).flip(0))
    count = tail.shape[0]
    shape = (count * shape + _PRIOR_WEIGHT * 0.5) / (count + _PRIOR_WEIGHT)
    return torch.where(flat, -torch.inf, shape).cpu()


def _fit_shape(x: Tensor) -> Tensor:
    """Fit the shape of a generalised Pareto (Zhang & Stephens 2009), x (M, B) sorted ascending."""
    count = x.shape[0]
    grid = 30 + int(math.sqrt(count))
    quartile = x[int(count / 4 + 0.5) - 1]
    quartile = torch.where(quartile > 0, quartile, x[-1] / count)
    steps = torch.arange(1, grid + 1, dtype=x.dtype, device=x.device) - 0.5
    theta = 1 / x[-1] + (1 - (grid / steps).sqrt())[:, None] / (3 * quartile)  # (G, B)
    shapes = torch.log1p(-theta[:, None] * x).mean(1)  # (G, B)
    log_likelihood = count * (torch.log(-theta / shapes) - shapes - 1)
    weights = torch.softmax(log_likelihood, 0)
    best = (weights * theta).sum(0)
    return torch.log1p(-best * x).mean(0)

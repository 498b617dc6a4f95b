"""Coupling steps: half of the dimensions move, by a function of the other half and h.

Each step is an ``nn.Module`` called as ``(z, h) -> (z', log_abs_det)``; shapes as in
:mod:`vae_core.model.flows.base`. The half that moves alternates from step to step. If z has one
dimension, this dimension moves in every step.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_core.model.flows.base import StepShape

_MOST_LOG_SCALE = 2.0  # one step stretches by a factor of 7 at most
_SMALLEST_BIN = 1e-3  # share of the interval
_SMALLEST_SLOPE = 1e-3
_SLOPE_ONE = math.log(math.expm1(1 - _SMALLEST_SLOPE))  # the softplus of it gives slope 1


class CouplingStep(nn.Module):
    """Split z, and compute ``outputs`` numbers for each dimension that moves.

    The second half moves in the first step, the first half in the next, and so on.
    """

    def __init__(self, shape: StepShape, outputs: int) -> None:
        super().__init__()
        half, hidden_size = shape.latent_size // 2, shape.hidden_size
        self.sizes = [half, shape.latent_size - half]
        self.second = shape.index % 2 == 0 or half == 0
        stays, moves = self.sizes if self.second else self.sizes[::-1]
        self.outputs = outputs
        self.context = nn.Linear(shape.features, hidden_size)
        self.first = nn.Linear(stays, hidden_size, bias=False) if stays else None
        self.middle = nn.Linear(hidden_size, hidden_size)
        self.last = nn.Linear(hidden_size, outputs * moves)
        with torch.no_grad():
            self.last.weight.mul_(0.1)
            self.last.bias.zero_()

    def transform(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Map x (n, B, m) with parameters (n, B, m, outputs) to x' and log dx'/dx, (n, B, m)."""
        raise NotImplementedError

    def forward(self, z: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        halves = z.split(self.sizes, dim=-1)
        stays, moves = halves if self.second else halves[::-1]
        moved, log_slope = self.transform(moves, self._conditioned(stays, h))
        both = (stays, moved) if self.second else (moved, stays)
        return torch.cat(both, dim=-1), log_slope.sum(-1)

    def _conditioned(self, stays: Tensor, h: Tensor) -> Tensor:
        hidden = self.context(h).expand(*stays.shape[:-1], -1)
        if self.first is not None:
            hidden = hidden + self.first(stays)
        hidden = F.relu(self.middle(F.relu(hidden)))
        return self.last(hidden).unflatten(-1, (-1, self.outputs))


class AffineCouplingStep(CouplingStep):
    """x' = x ⊙ exp(s) + t (Dinh et al. 2017, "RealNVP", arXiv 1605.08803, eq. 7), s bounded."""

    def __init__(self, shape: StepShape) -> None:
        super().__init__(shape, outputs=2)

    def transform(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        shift, raw = parameters.unbind(-1)
        log_scale = _MOST_LOG_SCALE * torch.tanh(raw / _MOST_LOG_SCALE)
        return x * log_scale.exp() + shift, log_scale


class SplineCouplingStep(CouplingStep):
    """A monotonic rational-quadratic spline for each moving dimension (Durkan et al. 2019).

    ``bins`` pieces inside [−bound, bound], the identity outside.
    """

    def __init__(self, shape: StepShape, bins: int = 8, bound: float = 5.0) -> None:
        super().__init__(shape, outputs=3 * bins - 1)
        self.bins, self.bound = bins, bound

    def transform(self, x: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        widths, heights, slopes = parameters.split([self.bins, self.bins, self.bins - 1], -1)
        return rational_quadratic_spline(x, widths, heights, slopes, self.bound)


def rational_quadratic_spline(
    x: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, bound: float
) -> tuple[Tensor, Tensor]:
    """Evaluate a monotonic spline of R rational-quadratic pieces, and the log of its slope.

    Durkan et al. 2019 (arXiv 1906.04032), eq. 4 and 5, with linear tails of slope 1.

    Args:
        x: points of evaluation, shape (*).
        widths, heights: sizes of the pieces before normalisation, (*, R).
        slopes: slopes at the inner knots before the softplus, (*, R − 1); zero means slope 1.

    Returns:
        y and log dy/dx, both of shape (*). Outside [−bound, bound], y = x.
    """
    sides = torch.stack([widths, heights], -2)
    slopes = F.softplus(slopes + _SLOPE_ONE) + _SMALLEST_SLOPE
    # x, y and dy/dx at all knots, (*, 3, R + 1), so that one gather is enough for a piece
    knots = torch.cat([_knots(sides, bound), F.pad(slopes, (1, 1), value=1.0)[..., None, :]], -2)
    inside = x.abs() < bound
    at = torch.where(inside, x, torch.zeros_like(x))
    piece = (at[..., None] >= knots[..., 0, 1:-1]).sum(-1)  # index of the piece that contains x
    ends = torch.stack([piece, piece + 1], -1)[..., None, :].expand(*piece.shape, 3, 2)
    low, high = knots.gather(-1, ends).unbind(-1)
    (x_low, y_low, d_low), (x_high, y_high, d_high) = low.unbind(-1), high.unbind(-1)
    width, height = x_high - x_low, y_high - y_low
    slope = height / width
    xi = (at - x_low) / width
    both = xi * (1 - xi)
    denominator = slope + (d_high + d_low - 2 * slope) * both
    y = y_low + height * (slope * xi.square() + d_low * both) / denominator
    numerator = slope.square() * (
        d_high * xi.square() + 2 * slope * both + d_low * (1 - xi).square()
    )
    log_slope = numerator.log() - 2 * denominator.log()
    return torch.where(inside, y, x), torch.where(inside, log_slope, 0.0)


def _knots(unnormalised: Tensor, bound: float) -> Tensor:
    """Rising knots from −bound to bound, (*, R + 1)."""
    pieces = unnormalised.shape[-1]
    shares = _SMALLEST_BIN + (1 - _SMALLEST_BIN * pieces) * unnormalised.softmax(-1)
    ends = shares.new_full((*shares.shape[:-1], 1), bound)
    inner = 2 * bound * shares[..., :-1].cumsum(-1) - bound
    return torch.cat([-ends, inner, ends], -1)

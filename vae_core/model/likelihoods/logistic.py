"""The discretised logistic distribution of one 8-bit pixel: exact masses of the values 0 to 255.

A logistic distribution with mean m and scale s on the axis −1 to 1 is cut into 256 bins, one for
each value v. Their edges are (v − 128)/127.5 and (v − 127)/127.5; the first and the last bin have
no outer edge (Kingma et al. 2016, arXiv 1606.04934; Salimans et al. 2017, arXiv 1701.05517). With
a = (lower edge − m)/s, b = (upper edge − m)/s and δ = b − a = 2/(255 s), the mass is
σ(b) − σ(a) = σ(b) σ(−a) (1 − e^{−δ}): a product, which float32 represents without cancellation.

All tensors broadcast against each other. Values v are floats without a fraction.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

LAST = 255.0  # the largest value
ROUNDING_VARIANCE = (1 / LAST) ** 2 / 12
"""The variance that rounding to 256 values adds to pixels in [0, 1]."""
_HALF = 127.5
# A smaller scale leaves less than 10⁻⁴ nats of the mass at its mean to win, and makes the slope at
# a wrong value longer than 3,000 nats for each unit of m
LOG_SCALES = (-8.0, 5.0)
"""Limits of log s in a model; values outside are moved to the nearest limit."""
_WIDE = 1.0  # scales in units of one value, above which sums over values are integrals
_NEIGHBOURS = 18  # edges on both sides; the others change a narrower one's mean by 10⁻⁸


def values_of(x: Tensor) -> Tensor:
    """Convert pixels in [0, 1] to values 0 to 255; pixels between two values become the nearer."""
    return (x * LAST).round()


def pixels_of(values: Tensor) -> Tensor:
    """Convert values 0 to 255 to pixels in [0, 1]."""
    return values / LAST


def signed(values: Tensor) -> Tensor:
    """Convert values 0 to 255 to the axis −1 to 1."""
    return values / _HALF - 1


def log_scale_of(variance: Tensor) -> Tensor:
    """log s of a logistic distribution with a variance: s² π²/3."""
    return (3 * variance).log() / 2 - math.log(math.pi)


def log_mass(values: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """log P(v) in nats, for any log scale from −12 to 5 in float32."""
    inverse = (-log_scale).exp()
    below, above = _standardised(values, mean, inverse)
    up_to, from_on = F.logsigmoid(above), F.logsigmoid(-below)
    inside = (-torch.expm1(-inverse / _HALF)).log()
    middle = up_to + from_on + inside
    return torch.where(values == 0, up_to, torch.where(values == LAST, from_on, middle))


def slopes(values: Tensor, mean: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of log P(v) with respect to m and log s."""
    inverse = (-log_scale).exp()
    below, above = _standardised(values, mean, inverse)
    by_above = torch.sigmoid(-above) * (values < LAST)
    by_below = -torch.sigmoid(below) * (values > 0)
    width = inverse / _HALF
    by_width = _is_inside(values) / torch.expm1(width)
    by_log_scale = by_above * above + by_below * below + by_width * width
    return -(by_above + by_below) * inverse, -by_log_scale


def curvature_factors(
    values: Tensor, mean: Tensor, log_scale: Tensor
) -> tuple[tuple[Tensor, Tensor], ...]:
    """Factors (f, g) of a curvature Σ (f, g)ᵀ(f, g) of −log P(v) in (m, log s).

    This is the Gauss–Newton matrix: log P is concave in (b, a, δ), whose slopes are multiplied from
    both sides. It is positive semi-definite for every value, and exact in m. Its mean over P(v) is
    the Fisher information, because the terms that are left out are multiples of the mean slope.
    """
    inverse = (-log_scale).exp()
    below, above = _standardised(values, mean, inverse)
    width = inverse / _HALF
    of_above = _root_of_bend(above) * (values < LAST)
    of_below = _root_of_bend(below) * (values > 0)
    half = width / 2
    of_width = _is_inside(values) * half / torch.sinh(half.clamp_max(40.0))
    return (
        (of_above * inverse, of_above * above),
        (of_below * inverse, of_below * below),
        (torch.zeros_like(of_width), of_width),
    )


def sample_values(
    mean: Tensor, log_scale: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Draw one value for each mean and scale."""
    uniform = torch.rand(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)
    drawn = mean + log_scale.exp() * torch.logit(uniform)
    return (_HALF * drawn + 128).floor().clamp(0, LAST)


def mean_value(mean: Tensor, log_scale: Tensor) -> Tensor:
    """E[v] = Σ_k P(v > k), between 0 and 255."""
    place, scale = _HALF * mean + 127, _HALF * log_scale.exp()
    result = _wide_mean(place, scale.clamp_min(_WIDE))
    narrow = scale < _WIDE
    if narrow.any():
        result[narrow] = _narrow_mean(place[narrow], scale[narrow])
    return result


def _standardised(values: Tensor, mean: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor]:
    """a and b. Neighbouring bins share their edges to the last bit, so that masses sum to 1."""
    return ((values - 128) / _HALF - mean) * inverse, ((values - 127) / _HALF - mean) * inverse


def _is_inside(values: Tensor) -> Tensor:
    return (values > 0) & (values < LAST)


def _root_of_bend(u: Tensor) -> Tensor:
    """√(σ(u) σ(−u)), the root of −d²/du² log σ(u)."""
    return (0.5 * (F.logsigmoid(u) + F.logsigmoid(-u))).exp()


def _wide_mean(place: Tensor, scale: Tensor) -> Tensor:
    """Σ_k σ((place − k)/scale) over k = 0…254: the integral, and the first correction at its ends.

    The error is below 10⁻³ of a value, because the logistic varies little from one k to the next.
    """
    low, high = (place + 0.5) / scale, (place - 254.5) / scale
    integral = scale * (F.softplus(low) - F.softplus(high))
    bends = [torch.sigmoid(u) * torch.sigmoid(-u) for u in (low, high)]
    return integral - (bends[0] - bends[1]) / (24 * scale)


def _narrow_mean(place: Tensor, scale: Tensor) -> Tensor:
    """The same sum, over the k near ``place``; those below count 1, and those above 0."""
    first = place.floor() - _NEIGHBOURS
    total = first.clamp(0, LAST)
    for step in range(2 * _NEIGHBOURS + 2):
        k = first + step
        total = total + torch.sigmoid((place - k) / scale) * ((k >= 0) & (k < LAST))
    return total

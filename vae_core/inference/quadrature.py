"""log p(x) = log ∫ p(x|z) p(z) dz and the true posterior p(z|x) by quadrature, for d = 1 and 2.

The first grid covers the prior, and its decoded latents serve all images. Then each image gets
finer grids over the box that contains its mass. The trapezoidal rule converges faster than any
power of the spacing if the integrand is smooth and vanishes at the border (Trefethen & Weideman
2014). The error is estimated by leaving out every other grid line in all ways, and from the mass
outside the box. All values are in nats.

Inside, a grid has shape (G, B): points, images; a box is a pair of corners, (B, d) each.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.blocks import map_blocks
from vae_core.basics.errors import InvalidArgument
from vae_core.model.batches import FLOATS_AT_ONCE, rows_at_once
from vae_core.model.vae import VAE

_HALF_WIDTH = 8.0  # half width of the first grid, in sd of the prior; the mass beyond is 1e-15
_FIRST_LINES = {1: 2001, 2: 161}  # lines per axis of the first grid, by d
_BOX_LINES = {1: 257, 2: 65}  # lines per axis of the grids that find the box
_MOST_LINES = {1: 65_537, 2: 1025}
_NEGLIGIBLE = 20.0  # nats below the peak: outside the box
_SHRINKS = 0.6  # if a new box is larger than this share of the old one, the search ends
_REACH = 4.0  # how far the box grows if the mass touches the border
_MOST_BOXES = 12
_SHOWN = 9.0  # nats below the peak: outside the picture
_SAFETY = 2.0  # on a grid that is too coarse, the change can be small by luck
_IMAGES_AT_ONCE = 16


@dataclass(frozen=True)
class Quadrature:
    """log p(x) of B images; all float64, in nats.

    Attributes:
        log_px: (B,).
        error: twice the largest change when every other grid line is left out, plus the share of
            the mass outside the box or at its border, (B,). It cannot include what no grid saw: a
            second peak much narrower than the spacing of the first grid (0.1 for d = 2, 0.008 for
            d = 1).
        reached: whether the error is within the tolerance, (B,) bool.
        low, high: corners of the box that contains the mass of p(z|x), (B, d).
    """

    log_px: Tensor
    error: Tensor
    reached: Tensor
    low: Tensor
    high: Tensor


@dataclass(frozen=True)
class PosteriorGrid:
    """The true posterior of one image on a regular grid, ready to be drawn; float64.

    Attributes:
        axes: z_1 (and z_2) of the grid lines, (n,) each.
        log_density: log p(z|x), (n,) or (n, n), the entry [i, j] at z = (axes[0][i], axes[1][j]).
        log_px: log p(x), nats.
        error: error of ``log_px``, nats.
    """

    axes: tuple[Tensor, ...]
    log_density: Tensor
    log_px: float
    error: float

    @property
    def density(self) -> Tensor:
        """p(z|x), with the shape of ``log_density``."""
        return self.log_density.exp()

    @property
    def cell(self) -> float:
        """Length or area of a grid cell."""
        return torch.stack([axis[1] - axis[0] for axis in self.axes]).prod().item()

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (d,) and covariance (d, d) of p(z|x), from the part on the grid."""
        points = torch.stack(torch.meshgrid(*self.axes, indexing="ij"), -1).flatten(0, -2)
        weights = self.log_density.flatten().softmax(0)[:, None]
        mean = (weights * points).sum(0)
        centred = points - mean
        return mean, (weights * centred).T @ centred

    def level(self, mass: float) -> float:
        """Density on the border of the highest-density region with this share of the mass.

        Requires 0 < mass < 1.
        """
        ordered = self.log_density.flatten().sort(descending=True).values
        within = (ordered.exp() * self.cell).cumsum(0)
        last = min(int((within < mass).sum()), len(ordered) - 1)
        return ordered[last].exp().item()


@torch.no_grad()
def quadrature(
    model: VAE,
    x: Tensor,
    tolerance: float = 1e-3,
    on_progress: Callable[[float], None] | None = None,
) -> Quadrature:
    """Compute log p(x) of images x (B, C, H, W) to an error of ``tolerance`` nats, for d ≤ 2.

    Grids are refined to at most 1025 × 1025 points per image (65,537 for d = 1). If that is not
    enough, ``reached`` is False. Memory does not grow with B.

    Args:
        on_progress: called with the share of the images that is done, 0 to 1.

    Raises:
        InvalidArgument: if the model has d > 2, the tolerance is not positive or the images do not
            have the model's shape.
    """
    _check(model)
    model.check_images(x)
    if not tolerance > 0:
        raise InvalidArgument(f"The tolerance must be positive, not {tolerance}.")
    if not len(x):
        return _nothing(model.config.latent_size)

    def measure(group: Tensor) -> Quadrature:
        return _integrate(model, group, *_find_boxes(model, group), tolerance)

    return map_blocks(measure, x, at_once=_IMAGES_AT_ONCE, on_progress=on_progress)


@torch.no_grad()
def posterior_grid(
    model: VAE,
    x: Tensor,
    lines: int = 201,
    box: tuple[Tensor, Tensor] | None = None,
    tolerance: float = 1e-3,
) -> PosteriorGrid:
    """Compute p(z|x) of one image x (1, C, H, W) on a grid, normalised by :func:`quadrature`.

    Args:
        lines: grid lines per axis, at least 2.
        box: lower and upper corner, (d,) each, of the part to show; None means the part within
            9 nats of the peak.
        tolerance: wanted error of log p(x), nats.

    Raises:
        InvalidArgument: if there is not one image, d > 2, or fewer than two lines.
    """
    if len(x) != 1 or lines < 2:
        raise InvalidArgument("The posterior is drawn for one image, on at least two grid lines.")
    exact = quadrature(model, x, tolerance)
    low, high = _shown_box(model, x, exact) if box is None else box
    low, high = low.double().cpu(), high.double().cpu()
    values = _log_joint(model, x, _points(low[None], high[None], lines))[:, 0]
    share = torch.linspace(0, 1, lines, dtype=torch.float64)
    axes = tuple(a + share * (b - a) for a, b in zip(low, high, strict=True))
    log_density = values.view([lines] * len(axes)) - exact.log_px
    return PosteriorGrid(axes, log_density, exact.log_px.item(), exact.error.item())


def _shown_box(model: VAE, x: Tensor, exact: Quadrature) -> tuple[Tensor, Tensor]:
    """Find the part of the box of one image that is worth drawing: two corners (d,)."""
    lines = _BOX_LINES[model.config.latent_size]
    points = _points(exact.low, exact.high, lines)
    low, high, *_ = _box(points, _log_joint(model, x, points), lines, _SHOWN)
    return low[0], high[0]


def _check(model: VAE) -> None:
    size = model.config.latent_size
    if size > 2:
        raise InvalidArgument(f"Quadrature works for d = 1 and 2; this model has d = {size}.")


def _nothing(size: int) -> Quadrature:
    none, corner = torch.empty(0, dtype=torch.float64), torch.empty(0, size, dtype=torch.float64)
    return Quadrature(none, none, none.bool(), corner, corner)


def _points(low: Tensor, high: Tensor, lines: int) -> Tensor:
    """Make a grid of lines^d points over each box, (G, B, d), float64."""
    share = torch.linspace(0, 1, lines, dtype=torch.float64)
    shares = torch.cartesian_prod(*[share] * low.shape[1]).view(-1, 1, low.shape[1])
    return low + shares * (high - low)


def _log_joint(model: VAE, x: Tensor, z: Tensor) -> Tensor:
    """log p(x, z), (G, B), at points of each image (G, B, d) or shared points (G, 1, d)."""
    pixels = FLOATS_AT_ONCE // (len(x) * model.config.pixels)
    at_once = max(1, min(rows_at_once(model) // z.shape[1], pixels))
    blocks = (block.to(x.device, x.dtype) for block in z.split(at_once))
    parts = [model.log_joint(x, block).cpu().double() for block in blocks]
    return torch.cat(parts)


def _find_boxes(model: VAE, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the box with the mass of each image's posterior, and the share outside it, (B,)."""
    size = model.config.latent_size
    centre, scale = (each.cpu().double()[None] for each in model.prior.moments())
    lines = _FIRST_LINES[size]
    points = _points(centre - _HALF_WIDTH * scale, centre + _HALF_WIDTH * scale, lines)
    low, high, outside, unsettled = _box(points, _log_joint(model, x, points), lines)
    lines = _BOX_LINES[size]
    for _ in range(_MOST_BOXES):
        active = unsettled.nonzero()[:, 0]
        if not len(active):
            break
        points = _points(low[active], high[active], lines)
        values = _log_joint(model, x[active], points)
        low[active], high[active], left, unsettled[active] = _box(points, values, lines)
        outside[active] += left
    return low, high, outside


def _box(
    points: Tensor, values: Tensor, lines: int, within: float = _NEGLIGIBLE
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find the box around the points less than ``within`` nats below the peak.

    The box is two lines wider on each side, and much wider where the mass touches the border.

    Returns:
        The corners, (B, d) each; the share of the mass outside, (B,); and whether to search again,
        because the box is much smaller than the grid or extends beyond it, (B,) bool.
    """
    points = points.expand(-1, values.shape[1], -1)
    near = (values > values.max(0).values - within)[..., None]
    low = points.masked_fill(~near, torch.inf).amin(0)
    high = points.masked_fill(~near, -torch.inf).amax(0)
    width = points[-1] - points[0]
    below, above = low <= points[0], high >= points[-1]
    margin = 2 * width / (lines - 1)
    low = low - torch.where(below, _REACH, margin)
    high = high + torch.where(above, _REACH, margin)
    inside = ((points >= low) & (points <= high)).all(-1)
    left = values.masked_fill(inside, -torch.inf).logsumexp(0) - values.logsumexp(0)
    unsettled = (high - low < _SHRINKS * width) | below | above
    return low, high, left.exp(), unsettled.any(1)


def _integrate(
    model: VAE, x: Tensor, low: Tensor, high: Tensor, outside: Tensor, tolerance: float
) -> Quadrature:
    """Refine the grid over each box until the tolerance or the largest grid is reached."""
    size = model.config.latent_size
    log_px = torch.empty(len(x), dtype=torch.float64)
    error = torch.full_like(log_px, torch.inf)
    lines = 2 * _BOX_LINES[size] - 1
    while lines <= _MOST_LINES[size] and (error > tolerance).any():
        for i in (error > tolerance).nonzero()[:, 0].tolist():
            values = _log_joint(
                model, x[i : i + 1], _points(low[i : i + 1], high[i : i + 1], lines)
            )
            log_cell = ((high[i] - low[i]) / (lines - 1)).log().sum()
            log_px[i], change = _trapezoid(values.view([lines] * size), log_cell)
            error[i] = change + outside[i]
        lines = 2 * lines - 1
    return Quadrature(log_px, error, error <= tolerance, low, high)


def _trapezoid(values: Tensor, log_cell: Tensor) -> tuple[Tensor, Tensor]:
    """log of the integral of exp(values) over a square grid, and its error.

    The value on the grid is the mean of the values on the 2^d grids of every other line. The
    largest difference from this mean, times two for safety, gives the error. The share of the mass
    at the border, which should be 0, is added.
    """
    fine = values.flatten().logsumexp(0)
    thin = [
        values[tuple(slice(start, None, 2) for start in starts)].flatten().logsumexp(0)
        for starts in itertools.product((0, 1), repeat=values.dim())
    ]
    change = (torch.stack(thin) + values.dim() * math.log(2) - fine).abs().max()
    inner = values[(slice(1, -1),) * values.dim()].flatten().logsumexp(0)
    border = (1 - (inner - fine).exp()).clamp_min(0)
    return fine + log_cell, _SAFETY * change + border

"""log p(x) = log ∫ p(x|z) p(z) dz and the true posterior p(z|x) by quadrature, for d = 1 and 2.

A first grid covers the prior, and its decoded latents serve all images. From its local maxima and
from the encoder's q(z|x), a search finds the modes of each posterior. Then cells around the mass
are integrated and split until two resolutions agree (:mod:`vae_core.inference.cells`), in float64,
because float32 rounds the decoder's logits. All values are in nats.

Inside, a grid has shape (G, B): points, images; a box is a pair of corners, (B, d) each.
"""

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vae_core.basics.blocks import map_blocks
from vae_core.basics.errors import InvalidArgument
from vae_core.inference.cells import Integral, LogFunction, highest_between, integrate
from vae_core.model.batches import FLOATS_AT_ONCE, rows_at_once
from vae_core.model.vae import VAE

_HALF_WIDTH = 8.0  # half width of the first grid, in sd of the prior; the mass beyond is 1e-15
_FIRST_LINES = {1: 2001, 2: 161}  # lines per axis of the first grid, by d
_CELLS = (40, 20, 10)  # per axis of the first grid
_FEW_CELLS = 40  # few enough to begin with
_BOX_LINES = {1: 257, 2: 65}  # lines per axis of the grid that finds the part to draw
_NEGLIGIBLE = 20.0  # nats below the peak: outside the box
_LOW = 35.0  # nats below the peak: cells of the first grid that are not looked at
_SHOWN = 9.0  # nats below the peak: outside the picture
_IMAGES_AT_ONCE = 16
_STARTS = 12  # of the search for modes
_SEARCHED = 60  # steps at most
_SMOOTH = 1.0  # nats around a mode at which the search need not be finer
_SHRINKS, _GROWS = 0.35, 1.5  # factors of the step size when no neighbour, or one, is higher


@dataclass(frozen=True)
class Quadrature:
    """log p(x) of B images; all float64, in nats.

    Attributes:
        log_px: (B,).
        error: twice what two resolutions differ by, the mass that was left out, and the rounding of
            float64, (B,). It cannot include a peak that nothing hinted at: no slope between the
            points of the first grid (0.1 apart for d = 2, 0.008 for d = 1) or of the cells, and no
            search for modes.
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
        reached: whether this error is within the tolerance, so that ``log_px`` counts as exact.
    """

    axes: tuple[Tensor, ...]
    log_density: Tensor
    log_px: float
    error: float
    reached: bool

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

    Cells are split to at most about a million points per image (24,000 for d = 1). If that is not
    enough, ``reached`` is False. Memory does not grow with B.

    Args:
        on_progress: called with the share of the images that is done, 0 to 1.

    Raises:
        InvalidArgument: if the model has d > 2, the tolerance is not positive or the images do not
            have the model's shape.
    """
    _check(model)
    x = model.as_images(x)
    if not tolerance > 0:
        raise InvalidArgument(f"The tolerance must be positive, not {tolerance}.")
    if not len(x):
        return _nothing(model.config.latent_size)

    exact = _in_float64(model)

    def measure(group: Tensor) -> Quadrature:
        first = _first_grid(model, group)
        step = first.width / (first.lines - 1)
        found = [
            _integrated(exact, group[i : i + 1], step, *starts, tolerance)
            for i, starts in enumerate(_starts(model, group, first))
        ]
        return _table(found, tolerance)

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
    x = model.as_images(x)
    exact = quadrature(model, x, tolerance)
    model = _in_float64(model)
    low, high = _shown_box(model, x, exact) if box is None else box
    low, high = low.double().cpu(), high.double().cpu()
    values = _log_joint(model, x, _points(low[None], high[None], lines))[:, 0]
    share = torch.linspace(0, 1, lines, dtype=torch.float64)
    axes = tuple(a + share * (b - a) for a, b in zip(low, high, strict=True))
    log_density = values.view([lines] * len(axes)) - exact.log_px
    log_px, error, reached = exact.log_px.item(), exact.error.item(), bool(exact.reached.item())
    return PosteriorGrid(axes, log_density, log_px, error, reached)


def _shown_box(model: VAE, x: Tensor, exact: Quadrature) -> tuple[Tensor, Tensor]:
    """Find the part of the box of one image that is worth drawing: two corners (d,)."""
    lines = _BOX_LINES[model.config.latent_size]
    points = _points(exact.low, exact.high, lines)
    values = _log_joint(model, x, points)[:, 0]
    near = points[:, 0][values > values.max() - _SHOWN]
    margin = 2 * (exact.high - exact.low)[0] / (lines - 1)
    return near.amin(0) - margin, near.amax(0) + margin


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
    like = next(model.parameters())
    x = x.to(like)
    parts = [model.log_joint(x, block.to(like)).cpu().double() for block in z.split(at_once)]
    return torch.cat(parts)


def _in_float64(model: VAE) -> VAE:
    """Return a copy of the model in float64, on the CPU if its device has no float64."""
    if next(model.parameters()).dtype == torch.float64:
        return model
    model = copy.deepcopy(model)
    return (model.cpu() if model.device.type == "mps" else model).double()


@dataclass(frozen=True)
class _Grid:
    """The first grid, on lines of the prior's range.

    Attributes:
        points: (G, d).
        width: its whole width, (d,).
        values: log p(x, z), (G, B).
        lines: lines per axis.
    """

    points: Tensor
    width: Tensor
    values: Tensor
    lines: int

    def bound(self) -> Tensor:
        """Bound on log p(x, z) near each point, (B, lines, …)."""
        return highest_between(self.values.T.reshape(-1, *[self.lines] * self.points.shape[1]))

    def cells(self, bound: Tensor) -> tuple[Tensor, Tensor]:
        """Cells for one image that matter by the bound (lines, …): lower corners, and the width.

        The smallest cells that are still few; the largest if none are few.
        """
        d, corners, width = self.points.shape[1], self.points[:0], self.width
        for count in _CELLS:
            step = (self.lines - 1) // count
            highest = _pooled(bound[None], step + 1, step).flatten()
            kept = highest > highest.max() - _LOW
            at = self.points.view(*bound.shape, d)[(slice(None, -1, step),) * d]
            corners, width = at.reshape(-1, d)[kept], self.width / count
            if len(corners) <= _FEW_CELLS:
                break
        return corners, width


def _first_grid(model: VAE, x: Tensor) -> _Grid:
    centre, scale = (each.cpu().double()[None] for each in model.prior.moments())
    lines = _FIRST_LINES[model.config.latent_size]
    low, high = centre - _HALF_WIDTH * scale, centre + _HALF_WIDTH * scale
    points = _points(low, high, lines)
    return _Grid(points[:, 0], (high - low)[0], _log_joint(model, x, points), lines)


def _pooled(values: Tensor, size: int, step: int, padding: int = 0) -> Tensor:
    """Largest value in each window of grids (B, n) or (B, n, n)."""
    pool = F.max_pool1d if values.dim() == 2 else F.max_pool2d
    return pool(values[:, None], size, step, padding)[:, 0]


def _starts(model: VAE, x: Tensor, grid: _Grid) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Find where to begin for each image: first cells (N, d), their width, and points (S, d)."""
    bound = grid.bound()
    is_peak = _pooled(bound, 3, 1, padding=1) == bound
    peaks = torch.where(is_peak, bound, -torch.inf).flatten(1)
    best, index = peaks.topk(min(_STARTS, peaks.shape[1]), dim=1)
    encoded = model.posterior(x.to(model.device)).path(_no_noise(model, len(x))).z[0].cpu().double()
    found = []
    for i in range(len(x)):
        high = index[i][best[i] > best[i, 0] - _LOW]
        starts = torch.cat([grid.points[high], encoded[i : i + 1]])
        found.append((*grid.cells(bound[i]), starts))
    return found


def _no_noise(model: VAE, images: int) -> Tensor:
    return next(model.parameters()).new_zeros(1, images, model.config.latent_size)


def _integrated(
    model: VAE,
    x: Tensor,
    step: Tensor,
    corners: Tensor,
    width: Tensor,
    starts: Tensor,
    tolerance: float,
) -> Integral:
    """Integrate p(x, z) of one image x (1, C, H, W) over z, from the modes that a search finds."""

    def f(z: Tensor) -> Tensor:
        return _log_joint(model, x, z[:, None])[:, 0]

    modes = _modes(f, starts, step / 2)
    cells = torch.cat([corners, _cells_of(modes[0], corners[0], width)])
    return integrate(f, cells, width, modes, tolerance)


def _cells_of(points: Tensor, corner: Tensor, width: Tensor) -> Tensor:
    """Lower corners of the cells, on the lattice of the given one, that hold the points (S, d)."""
    return corner + ((points - corner) / width).floor() * width


def _modes(f: LogFunction, starts: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Climb from each start to a local maximum of f: the maxima (S, d), and f there, (S,).

    A start moves to its highest neighbour at the distance ``step``, (d,). If it has no higher one,
    the distance shrinks, until f is smooth at that distance. This needs no gradient, so kinks do
    no harm.
    """
    shifts = torch.tensor(list(itertools.product((-1.0, 0.0, 1.0), repeat=starts.shape[1])))
    at, values = starts.clone(), f(starts)
    size = torch.ones(len(starts), 1, dtype=starts.dtype)
    active = torch.arange(len(starts))
    for _ in range(_SEARCHED):
        around = at[active, None] + shifts.to(step) * (size[active, None] * step)
        heights = f(around.flatten(0, 1)).view(len(active), -1)
        best, index = heights.max(1)
        higher = best > values[active]
        rough = heights.amax(1) - heights.amin(1) > _SMOOTH
        at[active] = torch.where(higher[:, None], around[range(len(active)), index], at[active])
        values[active] = torch.maximum(values[active], best)
        size[active] *= torch.where(higher, _GROWS, _SHRINKS)[:, None]
        active = active[higher | rough]
        if not len(active):
            break
    return at, values


def _table(found: list[Integral], tolerance: float) -> Quadrature:
    log_px, error = (
        torch.tensor([getattr(each, name) for each in found], dtype=torch.float64)
        for name in ("log_value", "error")
    )
    boxes = [_box_of(each.points, each.values) for each in found]
    low, high = (torch.stack(corners) for corners in zip(*boxes, strict=True))
    return Quadrature(log_px, error, error <= tolerance, low, high)


def _box_of(points: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Find the box around the points (n, d) less than 20 nats below the peak: two corners (d,)."""
    near = points[values > values.max() - _NEGLIGIBLE]
    margin = (near.amax(0) - near.amin(0)) / 20
    return near.amin(0) - margin, near.amax(0) + margin

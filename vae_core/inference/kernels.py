"""A proposal that follows p(z|x) in detail, for d = 1 and 2: many small Gaussians.

A lattice covers the prior, and its decoded latents serve all images. From its highest local maxima
and from the encoder's q(z|x), Newton's method climbs to the modes of each posterior. Then cells are
split where the mass of p(x, z) is, by the value in their centres, or by a mode that they contain.
The mixture has a Gaussian in each of these cells and a share of the prior. This is a coarse
quadrature (:mod:`vae_core.inference.quadrature` is a fine one). Importance sampling then corrects
what it gets wrong, so p̂(x) is unbiased.
"""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vae_core.inference.cells import highest_between
from vae_core.inference.gauss_newton import climbed
from vae_core.inference.mixture import KernelMixture
from vae_core.inference.modes import DecodedLatents
from vae_core.inference.starts import Points
from vae_core.model.batches import FLOATS_AT_ONCE
from vae_core.model.vae import VAE

_HALF_WIDTH = 6.0  # half width of the lattice, in sd of the prior
_LINES = {1: (101, 401), 2: (15, 41)}  # fewest and most lines per axis of the lattice, by d
_STARTS, _STEPS = 8, 4  # of the search for modes
_LOW = 35.0  # nats below the best bound: no start
_ROUNDS = 8
_SPLIT = 80  # new cells of a round
_FINE = 0.01  # share of the mass: if no cell has more, none is split
_NEGLIGIBLE = 8.0  # nats below the largest mass: the cell is left out
_KERNEL = 0.65  # standard deviation of a Gaussian, in widths of its cell
PRIOR_SHARE = 0.05
KERNEL_SETTINGS = {
    "half_width": _HALF_WIDTH,
    "lines": [*_LINES.values()],
    "starts": [_STARTS, _STEPS],
    "rounds": [_ROUNDS, _SPLIT, _FINE],
    "kernel": _KERNEL,
    "prior_share": PRIOR_SHARE,
}
"""Settings that the result depends on, to distinguish versions."""


@dataclass(frozen=True)
class Lattice(DecodedLatents):
    """Latents on lines through the prior's range, decoded.

    Attributes:
        width: distance of the lines on each axis, (d,).
        lines: lines per axis.
    """

    width: Tensor
    lines: int

    @classmethod
    def of(cls, model: VAE) -> "Lattice":
        """Decode a lattice, with as many lines as fit into about 8 MB."""
        size = model.config.latent_size
        fewest, most = _LINES[size]
        fitting = int((FLOATS_AT_ONCE / model.decoder.row_floats) ** (1 / size))
        lines = min(max(fitting, fewest), most)
        centre, scale = (each.to(next(model.parameters())) for each in model.prior.moments())
        line = torch.linspace(-_HALF_WIDTH, _HALF_WIDTH, lines).to(centre)
        points = centre + scale * torch.cartesian_prod(*[line] * size).view(-1, size)
        width = 2 * _HALF_WIDTH * scale / (lines - 1)
        return cls(points, model.decode(points), width, lines)

    def bound(self, values: Tensor) -> Tensor:
        """Bound log p(x, z) near each point by the slopes, (B, G), for its values there (B, G)."""
        return highest_between(values.unflatten(1, self._grid)).flatten(1)

    def peaks(self, bound: Tensor) -> tuple[Tensor, Tensor]:
        """Find the points at the highest local maxima of the bound (B, G).

        Returns:
            The points, (B, S, d), and a mask of those that are worth a search, (B, S).
        """
        grid = bound.unflatten(1, self._grid)[:, None]
        pool = F.max_pool1d if len(self._grid) == 1 else F.max_pool2d
        is_peak = (pool(grid, 3, 1, 1) == grid).flatten(1)
        peaks = torch.where(is_peak, bound, -torch.inf).topk(min(_STARTS, bound.shape[1]))
        return self.points[peaks.indices], peaks.values > peaks.values[:, :1] - _LOW

    @property
    def _grid(self) -> tuple[int, ...]:
        return (self.lines,) * self.points.shape[1]


@dataclass(frozen=True)
class _Cells:
    """Cells of several sizes with log p(x, z) in their centres, N for each image.

    Attributes:
        centre: (B, N, d).
        width: (B, N, d).
        value: log p(x, z) in the centre, (B, N); −inf where an image has no cell.
        highest: the same, or more if there is a sign of more, (B, N).
    """

    centre: Tensor
    width: Tensor
    value: Tensor
    highest: Tensor

    def log_mass(self) -> Tensor:
        return self.value + self.width.log().sum(-1)

    def at(self, images: Tensor, chosen: Tensor) -> "_Cells":
        """The cells ``chosen`` (A, n) of some images (A,)."""
        return _Cells(*(each[images[:, None], chosen] for each in self._columns()))

    def without(self, images: Tensor, chosen: Tensor) -> "_Cells":
        """All cells but those; their places stay."""
        value, highest = self.value.clone(), self.highest.clone()
        value[images[:, None], chosen] = highest[images[:, None], chosen] = -torch.inf
        return _Cells(self.centre, self.width, value, highest)

    def and_more(self, images: Tensor, other: "_Cells") -> "_Cells":
        """These cells, and others of some images (A,)."""
        count, size = other.centre.shape[1:]
        blank = self.value.new_full((len(self.value), count), -torch.inf)
        place = self.centre.new_ones(len(self.value), count, size)
        pairs = zip((place, place, blank, blank), other._columns(), strict=True)
        added = [one.index_copy(0, images, more) for one, more in pairs]
        columns = zip(self._columns(), added, strict=True)
        return _Cells(*(torch.cat(pair, 1) for pair in columns))

    def _columns(self) -> tuple[Tensor, ...]:
        return self.centre, self.width, self.value, self.highest


@dataclass(frozen=True)
class _Modes:
    """Local maxima of log p(x, z), M for each image.

    Attributes:
        z: (B, M, d).
        height: log p(x, z) there, (B, M); −inf where an image has no more.
    """

    z: Tensor
    height: Tensor


def kernel_mixture(model: VAE, x: Tensor, lattice: Lattice, encoded: Tensor) -> KernelMixture:
    """Fit the mixture for each image.

    Args:
        x: (B, C, H, W).
        encoded: the centre of the encoder's q(z|x), (B, d), where one more search starts.
    """
    values = lattice.log_joint(model, x).T
    bound = lattice.bound(values)
    peaks, worth = lattice.peaks(bound)
    starts = torch.cat([peaks, encoded[:, None]], 1)
    worth = torch.cat([worth, torch.ones_like(worth[:, :1])], 1)
    modes = _modes(model, x, starts, worth)
    return _mixture(model, _divided(model, x, _first_cells(lattice, values, bound, modes), modes))


def _modes(model: VAE, x: Tensor, starts: Tensor, worth: Tensor) -> _Modes:
    """Climb from the starts (B, M, d) that are worth it, by a mask (B, M)."""
    points = Points.of(starts, worth)
    z, heights = climbed(model, x[points.image], points.z, _STEPS)
    found, height = starts.clone(), starts.new_full(worth.shape, -torch.inf)
    found[worth], height[worth] = z, heights
    return _Modes(found, height)


def _first_cells(lattice: Lattice, values: Tensor, bound: Tensor, modes: _Modes) -> _Cells:
    """Cells around the points of the lattice, and around modes outside it."""
    centre = lattice.points.expand(len(values), -1, -1)
    within = _Cells(centre, lattice.width.expand_as(centre), values, bound)
    first, last, half = lattice.points[0], lattice.points[-1], lattice.width / 2
    at = first + ((modes.z - first) / lattice.width).round() * lattice.width
    outside = ((at - last > half) | (first - at > half)).any(-1)
    heights = torch.where(outside, modes.height, -torch.inf)
    images = torch.arange(len(values), device=values.device)
    return within.and_more(images, _Cells(at, lattice.width.expand_as(at), heights, heights))


def _divided(model: VAE, x: Tensor, cells: _Cells, modes: _Modes) -> _Cells:
    """Split the cells with the most mass, round by round."""
    size = cells.centre.shape[-1]
    corners = cells.centre.new_tensor(list(itertools.product((-0.25, 0.25), repeat=size)))
    for _ in range(_ROUNDS):
        images, split = _worth_splitting(cells, _SPLIT // len(corners))
        if not len(images):
            break
        parents = cells.at(images, split)
        centre = (parents.centre[:, :, None] + corners * parents.width[:, :, None]).flatten(1, 2)
        width = (parents.width / 2).repeat_interleave(len(corners), 1)
        value = model.log_joint(x[images], centre.transpose(0, 1)).T.nan_to_num(nan=-torch.inf)
        own = _Modes(modes.z[images], modes.height[images])
        children = _Cells(centre, width, value, _highest(centre, width, value, own))
        cells = cells.without(images, split).and_more(images, children)
    return cells


def _worth_splitting(cells: _Cells, most: int) -> tuple[Tensor, Tensor]:
    """Choose the ``most`` cells with the most mass of each image where a cell has much of it.

    Returns:
        The images, (A,), and their cells, (A, most), in rising order.
    """
    masses = cells.highest + cells.width.log().sum(-1)
    best = masses.topk(min(most, masses.shape[1]))
    much = best.values[:, 0] > cells.log_mass().logsumexp(1) + math.log(_FINE)
    images = much.nonzero()[:, 0]
    return images, best.indices[images].sort(1).values


def _highest(centre: Tensor, width: Tensor, value: Tensor, modes: _Modes) -> Tensor:
    """The value of each cell, or the height of a mode inside, (B, N)."""
    away = (modes.z[:, None] - centre[:, :, None]).abs()  # (B, N, M, d)
    inside = (away <= width[:, :, None] / 2).all(-1)
    within = torch.where(inside, modes.height[:, None], -torch.inf).amax(-1)
    return torch.maximum(value, within)


def _mixture(model: VAE, cells: _Cells) -> KernelMixture:
    """A Gaussian in each cell with mass, and one in place of the prior.

    If no cell of an image has any, as for a broken decoder, the prior's Gaussian is alone.
    """
    log_mass = cells.log_mass()
    kept = log_mass > log_mass.amax(1, keepdim=True) - _NEGLIGIBLE
    most = int(kept.sum(1).max())
    chosen = torch.where(kept, log_mass, -torch.inf).topk(most).indices.sort(1).values
    images = torch.arange(len(log_mass), device=log_mass.device)
    cells, kept = cells.at(images, chosen), kept.gather(1, chosen)
    mass = torch.where(kept, cells.log_mass(), -torch.inf).softmax(1).nan_to_num(nan=0.0)
    share = torch.cat([(1 - PRIOR_SHARE) * mass, mass.new_zeros(len(mass), 1)], 1)
    share[:, -1] = 1 - share.sum(1)
    centre, scale = (each.to(mass).expand(len(mass), 1, -1) for each in model.prior.moments())
    return KernelMixture(
        mean=torch.cat([cells.centre, centre], 1).transpose(0, 1),
        share=share.T,
        modes=kept.any(1).long(),  # the components cover all of them
        scale=torch.cat([_KERNEL * cells.width, scale], 1).transpose(0, 1),
    )

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
        return cls(points, model.decode(points[:, None]), width, lines)

    def bound(self, values: Tensor) -> Tensor:
        """Bound on log p(x, z) near each point by the slopes, (G,)."""
        grid = values.view(1, *[self.lines] * self.points.shape[1])
        return highest_between(grid).flatten()

    def peaks(self, bound: Tensor) -> Tensor:
        """Points at the highest local maxima of the bound, (S, d)."""
        grid = bound.view(1, 1, *[self.lines] * self.points.shape[1])
        pool = F.max_pool1d if grid.dim() == 3 else F.max_pool2d
        is_peak = (pool(grid, 3, 1, 1) == grid).flatten()
        heights, index = torch.where(is_peak, bound, -torch.inf).topk(min(_STARTS, len(bound)))
        return self.points[index[heights > heights[0] - _LOW]]


@dataclass(frozen=True)
class _Cells:
    """Cells of several sizes with log p(x, z) in their centres.

    Attributes:
        centre: (N, d).
        width: (N, d).
        value: log p(x, z) in the centre, (N,).
        highest: the same, or more if there is a sign of more, (N,).
    """

    centre: Tensor
    width: Tensor
    value: Tensor
    highest: Tensor

    def log_mass(self) -> Tensor:
        return self.value + self.width.log().sum(-1)

    def rows(self, chosen: Tensor) -> "_Cells":
        return _Cells(*(each[chosen] for each in self._columns()))

    def and_others(self, other: "_Cells") -> "_Cells":
        return _Cells(*map(torch.cat, zip(self._columns(), other._columns(), strict=True)))

    def _columns(self) -> tuple[Tensor, ...]:
        return self.centre, self.width, self.value, self.highest


def kernel_mixture(model: VAE, x: Tensor, lattice: Lattice, encoded: Tensor) -> KernelMixture:
    """Fit the mixture for one image.

    Args:
        x: (1, C, H, W).
        encoded: the centre of the encoder's q(z|x), (1, d), where one more search starts.
    """
    values = lattice.log_joint(model, x)
    bound = lattice.bound(values)
    modes = climbed(model, x, torch.cat([lattice.peaks(bound), encoded]), _STEPS)
    cells = _divided(model, x, _first_cells(lattice, values, bound, modes), modes)
    log_mass = cells.log_mass()
    kept = log_mass > log_mass.max() - _NEGLIGIBLE  # none if all are −inf, for a broken decoder
    return _mixture(model, cells.rows(kept))


def _first_cells(
    lattice: Lattice, values: Tensor, bound: Tensor, modes: tuple[Tensor, Tensor]
) -> _Cells:
    """Cells around the points of the lattice, and around modes outside it."""
    width = lattice.width.expand_as(lattice.points)
    within = _Cells(lattice.points, width, values, bound)
    origin = lattice.points[0]
    at = origin + ((modes[0] - origin) / lattice.width).round() * lattice.width
    outside = (
        (at - lattice.points[-1] > lattice.width / 2) | (origin - at > lattice.width / 2)
    ).any(-1)
    at, heights = at[outside], modes[1][outside]
    return within.and_others(_Cells(at, lattice.width.expand_as(at), heights, heights))


def _divided(model: VAE, x: Tensor, cells: _Cells, modes: tuple[Tensor, Tensor]) -> _Cells:
    """Split the cells with the most mass, round by round."""
    size = cells.centre.shape[1]
    corners = cells.centre.new_tensor(list(itertools.product((-0.25, 0.25), repeat=size)))
    for _ in range(_ROUNDS):
        split = _worth_splitting(cells, _SPLIT // len(corners))
        if not split.any():
            break
        parents = cells.rows(split)
        centre = (parents.centre[:, None] + corners * parents.width[:, None]).flatten(0, 1)
        width = (parents.width / 2).repeat_interleave(len(corners), 0)
        value = model.log_joint(x, centre[:, None])[:, 0].nan_to_num(nan=-torch.inf)
        children = _Cells(centre, width, value, _highest(centre, width, value, modes))
        cells = cells.rows(~split).and_others(children)
    return cells


def _worth_splitting(cells: _Cells, most: int) -> Tensor:
    """Mask of the ``most`` cells with the most mass, (N,); empty if all cells have little mass."""
    masses = cells.highest + cells.width.log().sum(-1)
    best = masses.topk(min(most, len(masses)))
    split = torch.zeros_like(masses, dtype=torch.bool)
    split[best.indices] = best.values[0] > cells.log_mass().logsumexp(0) + math.log(_FINE)
    return split


def _highest(centre: Tensor, width: Tensor, value: Tensor, modes: tuple[Tensor, Tensor]) -> Tensor:
    """The value of each cell, or the height of a mode inside, (N,)."""
    at, heights = modes
    inside = ((at - centre[:, None]).abs() <= width[:, None] / 2).all(-1)  # (N, M)
    within = torch.where(inside, heights, -torch.inf).amax(1)
    return torch.maximum(value, within)


def _mixture(model: VAE, cells: _Cells) -> KernelMixture:
    """A Gaussian in each cell, and one in place of the prior; it alone if there are no cells."""
    centre, scale = (each.to(cells.centre)[None] for each in model.prior.moments())
    share = (1 - PRIOR_SHARE) * cells.log_mass().softmax(0)
    return KernelMixture(
        mean=torch.cat([cells.centre, centre])[:, None],
        share=torch.cat([share, 1 - share.sum(0, keepdim=True)])[:, None],
        is_fitted=torch.tensor([len(share) > 0], device=share.device),
        scale=torch.cat([_KERNEL * cells.width, scale])[:, None],
    )

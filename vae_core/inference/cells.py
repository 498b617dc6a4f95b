"""Adaptive integration of exp(f) over one or two dimensions, cell by cell.

Each cell is integrated twice: by Gauss–Legendre points, and by those of its 2^d halves. A cell is
split until both agree. Agreement is not enough: a narrow peak may lie between all points of both.
So a cell also counts as unresolved while f changes so much from point to point that a peak between
them could matter, or while it contains a known mode of f that no point comes near.

Shapes: N cells, points of a cell (N, P, d), values of f (N, P). All values in nats, float64.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

LogFunction = Callable[[Tensor], Tensor]
"""f at points (n, d): (n,), in nats."""

_POINTS = 6  # per axis of a cell
_RESOLVED = 3.0  # nats that a peak between the points may exceed them
_FAR = 9.0  # nats below the tolerance: a cell with less of the mass does not matter
_MARGIN = 12.0  # nats that the integral so far may be too high, before a narrow peak is resolved
_FINEST = 1e-13  # smallest tolerance that is worth trying
_MOST_LEVELS = 26
_MOST_RINGS = 40
_MOST_CELLS = {1: 4_000, 2: 30_000}  # by d; 24,000 and a million points
_SAFETY = 2.0
_SHARE = 0.5  # of the tolerance that cells which agree may use


@dataclass(frozen=True)
class Integral:
    """The integral of exp(f), and how well it is known.

    Attributes:
        log_value: log ∫ exp(f(z)) dz.
        error: its error: what the two resolutions differ by, and the mass that was left out.
        points, values: all points of the last resolution, (n, d), and f there, (n,).
    """

    log_value: float
    error: float
    points: Tensor
    values: Tensor


@dataclass(frozen=True)
class _Cells:
    """Cells of one size with f at their points.

    Attributes:
        low: lower corners, (N, d).
        width: side of the cells, (d,).
        values: f at the points of each cell, (N, P).
    """

    low: Tensor
    width: Tensor
    values: Tensor

    @classmethod
    def at(cls, f: LogFunction, low: Tensor, width: Tensor) -> "_Cells":
        """Evaluate f at the points of the cells with these lower corners (N, d)."""
        points = low[:, None] + _rule(low.shape[1])[0] * width
        return cls(low, width, f(points.flatten(0, 1)).view(points.shape[:2]))

    @property
    def points(self) -> Tensor:
        """Points of each cell, (N, P, d)."""
        return self.low[:, None] + _rule(self.low.shape[1])[0] * self.width

    @property
    def log_volume(self) -> float:
        """Logarithm of the length or area of a cell."""
        return float(self.width.log().sum())

    def log_integrals(self) -> Tensor:
        """log ∫ exp(f) over each cell, (N,)."""
        return (self.values + _rule(self.low.shape[1])[1]).logsumexp(1) + self.log_volume

    def log_roughness(self) -> Tensor:
        """Logarithm of the error of each integral as its Legendre series tells it, (N,).

        Two resolutions can agree by chance, above all where f has kinks. Then the series of exp(f)
        falls slowly: the error is of the order of its last terms, times the square of the ratio
        between these and the terms before them.
        """
        d = self.low.shape[1]
        top = self.values.amax(1, keepdim=True)
        series = (self.values - top).exp().view(-1, *[_POINTS] * d)
        for axis in range(1, d + 1):
            series = (series.movedim(axis, -1) @ _legendre().T).movedim(-1, axis)
        squares = series.square().flatten(1)
        last, before = (squares[:, _degrees(d) // 2 == half].sum(1) for half in (2, 1))
        ratio = (last / before.clamp_min(1e-300)).clamp_max(1)
        return (last.sqrt() * ratio).clamp_min(1e-300).log() + top[:, 0] + self.log_volume

    def highest(self, modes: tuple[Tensor, Tensor]) -> Tensor:
        """Bound f in each cell, (N,), by the slopes between its points and by the known modes."""
        grids = self.values.view(-1, *[_POINTS] * self.low.shape[1])
        bound = highest_between(grids).flatten(1).amax(1)
        at, values = modes
        within = (at >= self.low[:, None]) & (at <= self.low[:, None] + self.width)  # (N, M, d)
        inside = torch.where(within.all(-1), values, -torch.inf)
        return torch.cat([bound[:, None], inside], 1).amax(1)

    def rows(self, chosen: Tensor) -> "_Cells":
        return _Cells(self.low[chosen], self.width, self.values[chosen])

    def halves(self, f: LogFunction) -> "_Cells":
        """The 2^d halves of each cell, (N · 2^d) cells, those of one cell side by side."""
        d = self.low.shape[1]
        steps = self.low.new_tensor(list(itertools.product((0, 0.5), repeat=d)))
        low = self.low[:, None] + steps * self.width
        return _Cells.at(f, low.flatten(0, 1), self.width / 2)


def highest_between(values: Tensor) -> Tensor:
    """Bound f near each point of N grids (N, n) or (N, n, n): f plus half the slopes around it."""
    bound = values
    for axis in range(1, values.dim()):
        change = values.diff(dim=axis).abs()
        first, last = (change.narrow(axis, i, 1) for i in (0, change.shape[axis] - 1))
        padded = torch.cat([first, change, last], axis)
        count = values.shape[axis]
        beside = torch.maximum(padded.narrow(axis, 0, count), padded.narrow(axis, 1, count))
        bound = bound + beside / 2
    return bound


def integrate(
    f: LogFunction,
    low: Tensor,
    width: Tensor,
    modes: tuple[Tensor, Tensor],
    tolerance: float,
) -> Integral:
    """Compute log ∫ exp(f(z)) dz from cells that contain the mass, to an error of ``tolerance``.

    Cells beside the given ones are added while mass reaches their border.

    Args:
        low: lower corners of the first cells, (N, d), on one lattice.
        width: side of the cells, (d,).
        modes: known local maxima of f, (M, d), and f there, (M,).
    """
    search = _Search(modes, max(tolerance, _FINEST))
    cells = _with_neighbours(f, low, width, search)
    for _ in range(_MOST_LEVELS):
        if not len(cells.low) or search.cells > _MOST_CELLS[low.shape[1]]:
            break
        cells = search.divide(cells, cells.halves(f))
    return search.result(cells)


class _Search:
    """Cells that are done, and what was left out; masses are logarithms."""

    def __init__(self, modes: tuple[Tensor, Tensor], tolerance: float) -> None:
        self.modes, self.tolerance = modes, tolerance
        self.cells = 0
        self._done: list[_Cells] = []
        self._errors: list[Tensor] = []
        self._left_out: list[Tensor] = []

    def divide(self, cells: _Cells, halves: _Cells) -> _Cells:
        """Accept the cells whose halves agree with them; return the halves of the others."""
        parts = 2 ** cells.low.shape[1]
        total = self._log_total(halves)
        coarse = (cells.log_integrals() - total).exp()
        fine = (halves.log_integrals().view(-1, parts).logsumexp(1) - total).exp()
        rough = (halves.log_roughness().view(-1, parts).logsumexp(1) - total).exp()
        error = (coarse - fine).abs() + rough
        agree = error <= self.tolerance * (_SHARE * fine).clamp_min(_SHARE / 100)
        mass = self.bound(halves) - total
        far = mass < self._far
        resolved = (self.excess(halves) <= _RESOLVED + self.tolerance) | far
        done = agree & resolved.view(-1, parts).all(1)
        self._errors.append(error[done].log() + total)
        each = done.repeat_interleave(parts)
        self._keep(halves.rows(each))
        gone = ~each & (mass < self._far - self._margin(halves))
        self._left_out.append(mass[gone] + total)
        self.cells += len(each)
        return halves.rows(~each & ~gone)

    def bound(self, cells: _Cells) -> Tensor:
        """Bound on the mass of each cell, (N,)."""
        return cells.highest(self.modes) + cells.log_volume

    def excess(self, cells: _Cells) -> Tensor:
        """How much a peak between the points of a cell may exceed them, (N,), in nats."""
        return cells.highest(self.modes) - cells.values.amax(1)

    def matters(self, cells: _Cells, among: _Cells) -> Tensor:
        """Mask of the cells whose mass is not negligible beside that of all, (N,)."""
        total = among.log_integrals().logsumexp(0)
        return self.bound(cells) - total > self._far - self._margin(among)

    def first(self, cells: _Cells) -> _Cells:
        """Leave out the cells that do not matter among the first ones."""
        kept = self.matters(cells, cells)
        self._left_out.append(self.bound(cells)[~kept])
        return cells.rows(kept)

    def _margin(self, cells: _Cells) -> float:
        """Nats that the integral may be too high: one point of a narrow peak looks like a cell."""
        masses = cells.log_integrals()
        resolved = self.excess(cells) <= _RESOLVED
        share = (masses[resolved].logsumexp(0) - masses.logsumexp(0)).exp()
        return 0.0 if share > 0.9 else _MARGIN

    @property
    def _far(self) -> float:
        return math.log(min(self.tolerance, 1.0)) - _FAR

    def _keep(self, cells: _Cells) -> None:
        self._done.append(cells)

    def _log_total(self, *more: _Cells) -> Tensor:
        parts = [each.log_integrals() for each in (*self._done, *more)]
        return torch.cat(parts).logsumexp(0)

    def result(self, rest: _Cells) -> Integral:
        """Sum up. The cells that are left count as an error: all their mass may be wrong."""
        log_value = self._log_total(rest)
        errors = torch.cat([*self._errors, *self._left_out, self.bound(rest)])
        share = (errors.logsumexp(0) - log_value).exp() if len(errors) else log_value.new_zeros(())
        values = torch.cat([each.values.flatten() for each in (*self._done, rest)])
        points = torch.cat([each.points.flatten(0, 1) for each in (*self._done, rest)])
        rounding = 8 * torch.finfo(values.dtype).eps * values.abs().max()
        error = _SAFETY * torch.log1p(share) + rounding
        return Integral(float(log_value), float(error), points, values)


def _with_neighbours(f: LogFunction, low: Tensor, width: Tensor, search: _Search) -> _Cells:
    """Evaluate the cells, and neighbours on their lattice until those do not matter."""
    origin = low[0]
    first = {_key(each, origin, width): each for each in low}
    known = set(first)
    newest = cells = _Cells.at(f, torch.stack(list(first.values())), width)
    steps = [s for s in itertools.product((-1, 0, 1), repeat=low.shape[1]) if any(s)]
    for _ in range(_MOST_RINGS):
        around = newest.low[search.matters(newest, cells)]
        found = []
        for corner in (around[:, None] + low.new_tensor(steps) * width).flatten(0, 1):
            key = _key(corner, origin, width)
            if key not in known:
                known.add(key)
                found.append(corner)
        if not found:
            break
        newest = _Cells.at(f, torch.stack(found), width)
        cells = _Cells(
            torch.cat([cells.low, newest.low]), width, torch.cat([cells.values, newest.values])
        )
    return search.first(cells)


def _key(corner: Tensor, origin: Tensor, width: Tensor) -> tuple[int, ...]:
    return tuple(((corner - origin) / width).round().long().tolist())


@lru_cache
def _rule(d: int) -> tuple[Tensor, Tensor]:
    """Gauss–Legendre points in the unit cell, (P, d), and the logarithms of their weights, (P,)."""
    places, weights = np.polynomial.legendre.leggauss(_POINTS)
    one = torch.from_numpy((places + 1) / 2)
    log_weights = torch.from_numpy(np.log(weights / 2))
    points = torch.cartesian_prod(*[one] * d).view(-1, d)
    return points, torch.cartesian_prod(*[log_weights] * d).view(-1, d).sum(1)


@lru_cache
def _legendre() -> Tensor:
    """Matrix from values at the points to normalised Legendre coefficients, (n, n)."""
    places, weights = np.polynomial.legendre.leggauss(_POINTS)
    polynomials = np.polynomial.legendre.legvander(places, _POINTS - 1)  # (points, degrees)
    scale = np.sqrt(2 * np.arange(_POINTS) + 1)
    return torch.from_numpy((polynomials * scale * weights[:, None] / 2).T.copy())


@lru_cache
def _degrees(d: int) -> Tensor:
    """Largest degree on any axis of each coefficient of a cell, (P,)."""
    one = torch.arange(_POINTS)
    return torch.cartesian_prod(*[one] * d).view(-1, d).amax(1)

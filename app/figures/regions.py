"""Regions of a map that are drawn with the mouse: boxes and lassos, and the points inside."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PARTS, MOST_CORNERS = 4, 48
"""Limits of a region, so that an address can hold it."""
_MOST_CHARACTERS = 20_000
_BETWEEN_NUMBERS, _BETWEEN_PARTS = "_", "~"


@dataclass(frozen=True)
class Region:
    """One or more polygons, each a tuple of its corners (x, y)."""

    parts: tuple[tuple[tuple[float, float], ...], ...]

    def contains(self, points: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Whether each point, (N, 2), lies in one of the polygons, (N,)."""
        inside = [_inside(np.array(part), points) for part in self.parts]
        return np.any(inside, axis=0) if inside else np.zeros(len(points), bool)

    def text(self) -> str:
        """The region as a text for an address, with three significant digits."""
        return _BETWEEN_PARTS.join(
            _BETWEEN_NUMBERS.join(f"{value:.3g}" for corner in part for value in corner)
            for part in self.parts
        )


def region_of_text(text: str) -> Region | None:
    """Read a region from an address; None if it is not one."""
    if not text or len(text) > _MOST_CHARACTERS:
        return None
    try:
        numbers = [
            [float(each) for each in part.split(_BETWEEN_NUMBERS)]
            for part in text.split(_BETWEEN_PARTS)
        ]
        return _region((part[::2], part[1::2]) for part in numbers)
    except ValueError:
        return None


def region_of_selection(selection: Mapping[str, Any]) -> Region | None:
    """The region of a selection that Streamlit reports; None if it has no box and no lasso."""
    try:
        boxes = [_corners(each["x"], each["y"]) for each in selection.get("box") or ()]
        lassos = [(each["x"], each["y"]) for each in selection.get("lasso") or ()]
        found = _region([*boxes, *lassos])
    except (TypeError, KeyError, ValueError):
        return None
    return None if found is None else region_of_text(found.text())  # the same as from a link


def _corners(x: Any, y: Any) -> tuple[list[float], list[float]]:
    (left, right), (low, high) = x, y
    return [left, right, right, left], [low, low, high, high]


def _region(parts: Iterable[tuple[Any, Any]]) -> Region | None:
    polygons = tuple(_polygon(x, y) for x, y in parts)
    if not 0 < len(polygons) <= MOST_PARTS or not all(len(each) >= 3 for each in polygons):
        return None
    numbers = (value for part in polygons for corner in part for value in corner)
    return Region(polygons) if all(map(math.isfinite, numbers)) else None


def _polygon(x: Any, y: Any) -> tuple[tuple[float, float], ...]:
    """The corners, or as many of them, evenly spread, as a region may have."""
    corners = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
    if len(corners) <= MOST_CORNERS:
        return tuple(corners)
    return tuple(corners[i * len(corners) // MOST_CORNERS] for i in range(MOST_CORNERS))


def _inside(corners: NDArray[np.floating], points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Even-odd rule: whether a ray to the right crosses the edges an odd number of times."""
    x, y = points[:, :1], points[:, 1:]
    (x0, y0), (x1, y1) = corners.T, np.roll(corners, -1, axis=0).T
    crosses = (y0 > y) != (y1 > y)  # (N, edges)
    rise = np.where(y1 == y0, 1.0, y1 - y0)
    return (crosses & (x < x0 + (y - y0) * (x1 - x0) / rise)).sum(1) % 2 == 1

"""The decoded image at the pointer over the picture of the true posterior."""

from collections.abc import Sequence

import numpy as np

from app.figures.pictures import as_picture
from app.figures.posterior_plane import Layer, window_of
from app.parts.components.decoded_pointer import Grid, decoded_pointer, grid_of, places
from app.services.byte_cache import cached
from app.views.posterior import data
from app.views.posterior.families import Member
from app.views.posterior.subject import Subject
from vae_core.analysis.latent import decode
from vae_core.basics.arrays import Floats

HINT = "Point at a place in the picture to see the image that the decoder makes there. "
_AROUND = 0.2  # of the window, on each side: a refitted q or draws of HMC may make it larger


def follow(subject: Subject, members: Sequence[Member], chart: str) -> None:
    """Show the decoded image at the pointer while it is over the chart."""
    low, high = _window(subject, members)
    low, high = low - _AROUND * (high - low), high + _AROUND * (high - low)
    name = (*low.round(6), *high.round(6))
    decoded_pointer("posterior-pointer", chart, _grid(subject, *map(float, name)))


def _window(subject: Subject, members: Sequence[Member]) -> tuple[Floats, Floats]:
    """Corners of the part of the plane, or of the line, that the picture shows, (2,) each."""
    grid = data.truth(subject)
    if subject.d == 1:
        assert grid is not None
        z = data.axes(grid)[0]
        return np.array([z[0], 0.0]), np.array([z[-1], 1.0])
    shapes = [data.shape(subject, member) for member in members]
    if grid is not None:
        layers = [Layer("", "", shape.curves) for shape in shapes]
        return window_of(data.ground_of(grid), layers)
    plane = data.plane(subject, Member(subject.choice))
    points = [Layer("", "", draws=plane.project(shape.draws)) for shape in shapes]
    return window_of(None, points)


@cached(max_entries=16, hash_funcs=data.BY_SUBJECT)
def _grid(subject: Subject, left: float, bottom: float, right: float, top: float) -> Grid:
    low, high = np.array([left, bottom]), np.array([right, top])
    at = places(low, high, subject.x[0].numel(), subject.d == 1)
    if subject.d == 1:
        z = at[..., :1]
    elif subject.d == 2:
        z = at
    else:
        z = data.plane(subject, Member(subject.choice)).lift(at)
    return grid_of(low, high, as_picture(decode(subject.model, z)))

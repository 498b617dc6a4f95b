"""Fast results of the Posterior lab, cached by the model's weights and the image."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.figures.posterior_plane import Ground
from app.services import densities
from app.services.byte_cache import cached
from app.services.densities import ELBO_SAMPLES as ELBO_SAMPLES
from app.services.densities import REFERENCE_SAMPLES as REFERENCE_SAMPLES
from app.views.posterior.families import Member
from app.views.posterior.shapes import (
    MASSES,
    Floats,
    Shape,
    Steps,
    draws_of,
    shape_of,
    steps_of,
)
from app.views.posterior.subject import SEED, Subject
from vae_core.analysis.latent import Plane, narrowest_plane_of
from vae_core.inference.quadrature import PosteriorGrid
from vae_core.inference.weights import Weights

PLANE_DRAWS = 4096  # enough draws that the directions of the plane depend on q, not on chance
BY_SUBJECT: dict[str | type[Any], Any] = {Subject: Subject.identity}
"""How results of a subject are found in the cache."""


def prepare(subject: Subject, members: Sequence[Member] = ()) -> None:
    """Compute :func:`truth`, or :func:`reference` if members are given, with a spinner.

    The spinner has its own container, so nothing below it moves.
    """
    with st.container():
        if members:
            reference(subject, members)
        else:
            truth(subject)


def truth(subject: Subject) -> PosteriorGrid | None:
    """The true posterior on a grid and log p(x); None for d > 2."""
    return densities.truth(subject.choice, subject.x)


def shape(subject: Subject, member: Member) -> Shape:
    """Shape of a member's q(z|x), for drawing."""
    return _shape(subject.on(member.choice))


@cached(max_entries=256, hash_funcs=BY_SUBJECT)
def _shape(subject: Subject) -> Shape:
    x = subject.x.to(subject.model.device)
    return shape_of(subject.model, x, subject.model.posterior(x), SEED)


def plane(subject: Subject, member: Member) -> Plane:
    """Plane for pictures with d > 2: where a member's q(z|x) is narrowest against the prior."""
    return _plane(subject.on(member.choice))


@cached(max_entries=64, hash_funcs=BY_SUBJECT)
def _plane(subject: Subject) -> Plane:
    x = subject.x.to(subject.model.device)
    q = subject.model.posterior(x)
    return narrowest_plane_of(draws_of(subject.model, x, q, PLANE_DRAWS, SEED))


def steps(subject: Subject, member: Member) -> Steps:
    """Stages of a member's flow."""
    return _steps(subject.on(member.choice))


@cached(max_entries=64, hash_funcs=BY_SUBJECT)
def _steps(subject: Subject) -> Steps:
    return steps_of(subject.model, subject.x.to(subject.model.device), SEED)


def exact(subject: Subject) -> tuple[float, float] | None:
    """log p(x) and its error, in nats; None if no exact value is known."""
    return densities.exact(subject.choice, subject.x)


def reference(subject: Subject, members: Sequence[Member]) -> tuple[float, float, bool]:
    """Reference value of log p(x), its error in nats, and whether the value is exact.

    See :func:`app.services.densities.reference`.
    """
    known = exact(subject)
    if known is not None:
        return *known, True
    return densities.reference([member.choice for member in members], subject.x)


def reference_samples(subject: Subject) -> int | None:
    """K of :func:`reference`; None if log p(x) is exact."""
    return None if exact(subject) is not None else REFERENCE_SAMPLES


def weighed(subject: Subject, member: Member, samples: int) -> Weights:
    """log w at draws of a member's q(z|x), for few draws that need no progress bar."""
    return densities.weighed(member.choice, subject.x, samples)


def density(grid: PosteriorGrid) -> Floats:
    """p(z|x) on the grid, (n,) for d = 1 or (n, n) for d = 2."""
    return grid.density.numpy()


def axes(grid: PosteriorGrid) -> list[Floats]:
    """Positions of the grid lines, one array per dimension."""
    return [axis.numpy() for axis in grid.axes]


def ground_of(grid: PosteriorGrid, every: int = 1) -> Ground:
    """The true posterior for d = 2 as input of a figure, with every n-th grid line."""
    x, y = (axis[::every] for axis in axes(grid))
    levels = [grid.level(mass) for mass in MASSES]
    return Ground(x, y, density(grid)[::every, ::every], levels)

"""What the Posterior lab shows at once, cached by the models' weights and the image."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.views.posterior.families import Member
from app.views.posterior.shapes import (
    Floats,
    Shape,
    Steps,
    Weights,
    draws_of,
    shape_of,
    steps_of,
    stream_weights,
)
from app.views.posterior.subject import SEED, Subject
from vae_core.analysis.latent import Plane, narrowest_plane_of
from vae_core.inference.methods import METHODS, infer
from vae_core.inference.quadrature import PosteriorGrid, posterior_grid

LINES = {1: 801, 2: 181}  # of the grid that is drawn
ELBO_SAMPLES = 1000
REFERENCE_SAMPLES = 10_000
PLANE_DRAWS = 4096  # that its directions be those of q and not of chance
_CLOSED_FORM = "closed-form"
_BY_SUBJECT: dict[str | type[Any], Any] = {Subject: Subject.identity}


def prepare(subject: Subject, members: Sequence[Member] = ()) -> None:
    """Compute the truth, and :func:`reference` if members are given, behind a spinner that has a
    place of its own: nothing below it moves."""
    with st.container():
        if members:
            reference(subject, members)
        else:
            truth(subject)


def truth(subject: Subject) -> PosteriorGrid | None:
    """The true posterior on a grid and log p(x); None for d > 2."""
    return _truth(subject) if subject.d <= 2 else None


@st.cache_resource(max_entries=64, show_spinner="Summing over z", hash_funcs=_BY_SUBJECT)
def _truth(subject: Subject) -> PosteriorGrid:
    x = subject.x.to(subject.model.device)
    return posterior_grid(subject.model, x, LINES[subject.d])


def shape(subject: Subject, member: Member) -> Shape:
    """How a member's q(z|x) is drawn."""
    return _shape(subject.on(member.choice))


@st.cache_resource(max_entries=256, show_spinner=False, hash_funcs=_BY_SUBJECT)
def _shape(subject: Subject) -> Shape:
    x = subject.x.to(subject.model.device)
    return shape_of(subject.model, x, subject.model.posterior(x), SEED)


def plane(subject: Subject, member: Member) -> Plane:
    """What d > 2 is drawn in: where a member's q(z|x) is narrowest against the prior."""
    return _plane(subject.on(member.choice))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_SUBJECT)
def _plane(subject: Subject) -> Plane:
    x = subject.x.to(subject.model.device)
    q = subject.model.posterior(x)
    return narrowest_plane_of(draws_of(subject.model, x, q, PLANE_DRAWS, SEED))


def steps(subject: Subject, member: Member) -> Steps:
    """A member's flow, stage by stage."""
    return _steps(subject.on(member.choice))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs=_BY_SUBJECT)
def _steps(subject: Subject) -> Steps:
    return steps_of(subject.model, subject.x.to(subject.model.device), SEED)


def exact(subject: Subject) -> tuple[float, float] | None:
    """log p(x) and its error bound, in nats: by quadrature for d ≤ 2, or in closed form."""
    grid = truth(subject)
    if grid is not None:
        return grid.log_px, grid.error
    if METHODS[_CLOSED_FORM].obstacle(subject.model) is not None:
        return None
    (state,) = infer(_CLOSED_FORM, subject.model, subject.x.to(subject.model.device), draws=2)
    assert state.value is not None
    return state.value, 0.0


def reference(subject: Subject, members: Sequence[Member]) -> tuple[float, float, bool]:
    """log p(x) to hold everything against, its error in nats, and whether it is exact.

    Where it is not known, it is estimated by importance sampling with the member whose weights have
    the largest effective sample size.
    """
    known = exact(subject)
    if known is not None:
        return *known, True
    best = max((weighed(subject, m, REFERENCE_SAMPLES) for m in members), key=lambda w: w.ess)
    return *best.log_px, False


def reference_samples(subject: Subject) -> int | None:
    """K of :func:`reference`; None where log p(x) is exact."""
    return None if exact(subject) is not None else REFERENCE_SAMPLES


def weighed(subject: Subject, member: Member, samples: int) -> Weights:
    """log w at draws of a member's q(z|x): where there are few, and no progress bar is needed."""
    return _weighed(subject.on(member.choice), samples)


@st.cache_resource(max_entries=256, show_spinner="Estimating log p(x)", hash_funcs=_BY_SUBJECT)
def _weighed(subject: Subject, samples: int) -> Weights:
    x = subject.x.to(subject.model.device)
    *_, last = stream_weights(subject.model, x, samples, SEED)
    return last


def density(grid: PosteriorGrid) -> Floats:
    """p(z|x) on the grid, (n,) or (n, n) as the grid has it."""
    return grid.density.numpy()


def axes(grid: PosteriorGrid) -> list[Floats]:
    """z of the grid lines by dimension."""
    return [axis.numpy() for axis in grid.axes]

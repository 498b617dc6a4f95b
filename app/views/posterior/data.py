"""Fast results of the Posterior lab, cached by the model's weights and the image."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app.services.byte_cache import cached
from app.views.posterior.families import Member
from app.views.posterior.shapes import (
    Floats,
    Shape,
    Steps,
    draws_of,
    shape_of,
    steps_of,
)
from app.views.posterior.subject import SEED, Subject
from vae_core.analysis.latent import Plane, narrowest_plane_of
from vae_core.inference.methods import METHODS, infer
from vae_core.inference.proposals import refine
from vae_core.inference.quadrature import PosteriorGrid, posterior_grid
from vae_core.inference.weights import Weights, weight_steps

LINES = {1: 801, 2: 181}  # grid lines per dimension, by d
ELBO_SAMPLES = 1000
REFERENCE_SAMPLES = 10_000
PLANE_DRAWS = 4096  # enough draws that the directions of the plane depend on q, not on chance
_CLOSED_FORM = "closed-form"
_BY_SUBJECT: dict[str | type[Any], Any] = {Subject: Subject.identity}


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
    return _truth(subject) if subject.d <= 2 else None


@cached(max_entries=64, show_spinner="Summing over z", hash_funcs=_BY_SUBJECT)
def _truth(subject: Subject) -> PosteriorGrid:
    x = subject.x.to(subject.model.device)
    return posterior_grid(subject.model, x, LINES[subject.d])


def shape(subject: Subject, member: Member) -> Shape:
    """Shape of a member's q(z|x), for drawing."""
    return _shape(subject.on(member.choice))


@cached(max_entries=256, hash_funcs=_BY_SUBJECT)
def _shape(subject: Subject) -> Shape:
    x = subject.x.to(subject.model.device)
    return shape_of(subject.model, x, subject.model.posterior(x), SEED)


def plane(subject: Subject, member: Member) -> Plane:
    """Plane for pictures with d > 2: where a member's q(z|x) is narrowest against the prior."""
    return _plane(subject.on(member.choice))


@cached(max_entries=64, hash_funcs=_BY_SUBJECT)
def _plane(subject: Subject) -> Plane:
    x = subject.x.to(subject.model.device)
    q = subject.model.posterior(x)
    return narrowest_plane_of(draws_of(subject.model, x, q, PLANE_DRAWS, SEED))


def steps(subject: Subject, member: Member) -> Steps:
    """Stages of a member's flow."""
    return _steps(subject.on(member.choice))


@cached(max_entries=64, hash_funcs=_BY_SUBJECT)
def _steps(subject: Subject) -> Steps:
    return steps_of(subject.model, subject.x.to(subject.model.device), SEED)


def exact(subject: Subject) -> tuple[float, float] | None:
    """log p(x) and its error, in nats: by quadrature for d ≤ 2, or in closed form.

    None if neither is possible, or if the quadrature did not reach its tolerance.
    """
    grid = truth(subject)
    if grid is not None and grid.reached:
        return grid.log_px, grid.error
    if METHODS[_CLOSED_FORM].obstacle(subject.model) is not None:
        return None
    (state,) = infer(_CLOSED_FORM, subject.model, subject.x.to(subject.model.device), draws=2)
    assert state.value is not None
    return state.value, 0.0


def reference(subject: Subject, members: Sequence[Member]) -> tuple[float, float, bool]:
    """Reference value of log p(x), its error in nats, and whether the value is exact.

    If the exact value is not available, log p(x) is estimated by importance sampling. Of the
    members' q(z|x) and the proposals refined from them, the one whose weights have the largest
    effective sample size is used. The error is NaN if it is not known.
    """
    known = exact(subject)
    if known is not None:
        return *known, True
    weights = [weighed(subject, member, REFERENCE_SAMPLES) for member in members]
    weights += [_refined(subject.on(m.choice), REFERENCE_SAMPLES) for m in members]
    return *max(weights, key=lambda each: each.ess).log_px, False


def reference_samples(subject: Subject) -> int | None:
    """K of :func:`reference`; None if log p(x) is exact."""
    return None if exact(subject) is not None else REFERENCE_SAMPLES


def weighed(subject: Subject, member: Member, samples: int) -> Weights:
    """log w at draws of a member's q(z|x), for few draws that need no progress bar."""
    return _weighed(subject.on(member.choice), samples)


@cached(max_entries=256, show_spinner="Estimating log p(x)", hash_funcs=_BY_SUBJECT)
def _weighed(subject: Subject, samples: int) -> Weights:
    x = subject.x.to(subject.model.device)
    *_, last = weight_steps(subject.model, x, samples, SEED)
    return last


@cached(max_entries=64, show_spinner="Estimating log p(x)", hash_funcs=_BY_SUBJECT)
def _refined(subject: Subject, samples: int) -> Weights:
    x = subject.x.to(subject.model.device)
    proposal = refine(subject.model, x, SEED)
    *_, last = weight_steps(subject.model, x, samples, SEED, proposal)
    return last


def density(grid: PosteriorGrid) -> Floats:
    """p(z|x) on the grid, (n,) for d = 1 or (n, n) for d = 2."""
    return grid.density.numpy()


def axes(grid: PosteriorGrid) -> list[Floats]:
    """Positions of the grid lines, one array per dimension."""
    return [axis.numpy() for axis in grid.axes]

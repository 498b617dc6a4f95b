"""The Posterior tab: the true posterior of the image, with every family's q(z|x) over it."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.figures import posterior_plane as figures
from app.figures.posterior_plane import Curve, Layer
from app.parts import charts, live, widgets
from app.parts.glossary import see
from app.services.work import Bench
from app.views.posterior import code, data, notes, pointer, richer_words
from app.views.posterior.families import Member
from app.views.posterior.shapes import MASSES, RADII, Floats, Shape, shape_of
from app.views.posterior.subject import SEED, Subject
from app.views.posterior.tasks import METHOD_DRAWS, AnyTask, method_task, refit_task
from vae_core.analysis.latent import Plane, ellipse
from vae_core.inference.methods import HMC_CHAINS, HMC_WARMUP, State
from vae_core.model.posteriors import Posterior
from vae_core.wording.numbers import estimate, number

HEIGHT = 560
_CHART = "posterior-map"
_HELD = " and ".join(f"{mass:.0%}" for mass in MASSES)
GREY = (
    "Grey: the true posterior.",
    f"Grey: the true posterior on a grid. Dotted: the smallest regions with {_HELD} of its mass.",
)
"""Captions of the grey part of a picture, for one and for two dimensions."""


def show(subject: Subject, members: Sequence[Member]) -> None:
    """Draw the tab: the picture on the left, the numbers on the right."""
    data.prepare(subject, members)
    plot, about = st.columns([10, 5], gap="medium")
    with about:
        refitted = st.toggle(
            "Refit each q to this image",
            key="refitted",
            bind="query-params",
            persist_state="session",
            help="Adds the best q of each family for this image alone, as dashed lines. The "
            "remaining distance to the true posterior is the limit of the family.",
        )
        figures_table(subject, members)
    tasks: list[AnyTask] = [refit_task(subject, m) for m in members] if refitted else []
    if subject.d > 2:
        tasks.insert(0, method_task(subject, "hmc"))
    with plot:
        live.panel(tasks, lambda bench: _picture(subject, members, bench, refitted), "truth")
        pointer.follow(subject, members, _CHART)
    notes.protocol(
        subject,
        L=data.ELBO_SAMPLES,
        K=data.reference_samples(subject),
        note=_accuracy(subject),
    )
    widgets.code(code.lines("truth", subject))


def _picture(subject: Subject, members: Sequence[Member], bench: Bench, refitted: bool) -> None:
    shapes = [(m, data.shape(subject, m), "solid") for m in members]
    if refitted:
        shapes += [
            (m, _shape_of_fit(subject, m, state.best), "dash")
            for m in members
            if (state := bench.latest(refit_task(subject, m))) is not None
        ]
    grid = data.truth(subject)
    names = ", ".join(m.name for m in members)
    if grid is not None and subject.d == 1:
        z, density = data.axes(grid)[0], data.density(grid)
        curves = [
            Curve(m.name + _star(dash), m.colour, *s.line, dash) for m, s, dash in shapes if s.line
        ]
        at = None if subject.z is None else float(subject.z[0])
        figure = figures.line_figure(z, density, curves, title=_title(subject), true_z=at)
    elif grid is not None:
        layers = [
            Layer(m.name + _star(dash), m.colour, s.curves, dash=dash) for m, s, dash in shapes
        ]
        figure = figures.plane_figure(
            data.ground_of(grid), layers, title=_title(subject), true_z=subject.z, height=HEIGHT
        )
    else:
        figure = _in_many(subject, shapes, bench)
    charts.chart(
        figure,
        _CHART,
        f"The true posterior of z given {subject.label}, in grey, with q(z|x) of {names} over it.",
    )
    st.caption(pointer.HINT + _reading(subject))
    if subject.d > 2:
        st.caption(_about_chains(bench.latest(method_task(subject, "hmc"))))


def _title(subject: Subject) -> str:
    return f"p(z|x) of {subject.label}, with q(z|x) over it"


def _star(dash: str) -> str:
    return " refitted" if dash == "dash" else ""


def _shape_of_fit(subject: Subject, member: Member, best: Posterior) -> Shape:
    own = subject.on(member.choice)
    return shape_of(own.model, own.x.to(own.model.device), best, SEED)


# ---- d > 2


def plane_titles(plane: Plane, draws: Floats) -> tuple[str, str]:
    """Axis titles for :func:`app.views.posterior.data.plane`, from draws of that q, (n, d)."""
    first, second = plane.project(draws).std(0)
    return f"narrowest direction of q, sd {first:.2g}", f"second narrowest, sd {second:.2g}"


def true_draws(subject: Subject, bench: Bench) -> Floats | None:
    """Draws of the true posterior by HMC, (n, d); None if none exist yet."""
    state = bench.latest(method_task(subject, "hmc"))
    return None if state is None or not len(state.draws) else state.draws.double().numpy()


def _in_many(
    subject: Subject, shapes: Sequence[tuple[Member, Shape, str]], bench: Bench
) -> go.Figure:
    own = Member(subject.choice)
    plane = data.plane(subject, own)
    layers = []
    for member, shape, dash in shapes:
        points = plane.project(shape.draws)
        rings = [ellipse(points, radius) for radius in RADII]
        layers.append(Layer(member.name + _star(dash), member.colour, rings, points, dash))
    drawn = true_draws(subject, bench)
    return figures.plane_figure(
        None,
        layers,
        title=_title(subject),
        titles=plane_titles(plane, data.shape(subject, own).draws),
        true_draws=None if drawn is None else plane.project(drawn),
        true_z=None if subject.z is None else plane.project(subject.z),
        height=HEIGHT,
    )


# ---- numbers and captions


def figures_table(subject: Subject, members: Sequence[Member]) -> None:
    """Draw the ELBO of each family and its distance from the true posterior."""
    log_px, error, exact = data.reference(subject, members)
    rows, elbos = [], []
    for member in members:
        elbo, se = data.weighed(subject, member, data.ELBO_SAMPLES).elbo
        distance = estimate(log_px - elbo, float(np.hypot(se, error)), "")
        rows.append((member.name, number(elbo, se, ""), distance))
        elbos.append((member.name, elbo, se))
    hat = "log p(x)" if exact else "log p̂(x)"
    how = "exact" if exact else f"estimated by importance sampling, K = {data.REFERENCE_SAMPLES:,}"
    rows.append((hat, number(log_px, unit="") if exact else estimate(log_px, error, ""), ""))
    colours = [*(m.colour for m in members), ""]
    st.html(notes.table(("nats", "ELBO", "KL(q ‖ p)" + ", at least" * (not exact)), rows, colours))
    least = (
        ""
        if exact
        else f" On average {hat} is below log p(x), so each true distance is at least as shown."
    )
    st.caption(
        f"{hat}: {how}.{least} ELBO = log p(x) − KL(q(z|x) ‖ p(z|x)): the farther q is from the "
        "true posterior, the lower the ELBO." + see("elbo", "kl", "pzx")
    )
    if richer := richer_words.about_elbos(elbos, richer_words.nested(members)):
        st.markdown(richer)


def _reading(subject: Subject) -> str:
    if subject.d == 1:
        return f"{GREY[0]} Lines: the density of each q(z|x), also exact."
    if subject.d == 2:
        text = (
            f"{GREY[1]} Lines: where each family maps the circles |ε| = 1 and 2. They "
            f"contain {_HELD} of its q(z|x)."
        )
    else:
        text = (
            "Grey: draws of the true posterior by Hamiltonian Monte Carlo. The picture shows the "
            f"plane through the mean of q in which {Member(subject.choice).name} is narrowest "
            "compared with the prior. These are the two directions that "
            f"the image determines best. The other {subject.d - 2} directions are not shown. "
            "Lines: ellipses from the means and covariances of the draws, at 1 and 2 σ."
        )
    cross = " The cross is the z that the image was drawn from." if subject.z is not None else ""
    return text + cross


def _about_chains(state: State | None) -> str:
    """Say whether the draws of HMC can be trusted, by their diagnostics."""
    if state is None or not len(state.draws):
        return "HMC: warming up."
    told = f"HMC: {notes.diagnostics(state.diagnostics)}."
    if notes.mixed(state.diagnostics):
        return told
    doubt = f"R̂ above {notes.MIXED}: the chains have not mixed well. Do not trust the grey draws."
    return f"{told} {doubt}"


def _accuracy(subject: Subject) -> str:
    grid = data.truth(subject)
    if grid is not None:
        doubt = "" if grid.reached else ", too large for log p(x) to count as exact"
        return f"quadrature error {notes.at_most(grid.error)}{doubt}"
    return (
        f"HMC: {HMC_CHAINS} chains, each {HMC_WARMUP} steps of warm-up and "
        f"{METHOD_DRAWS // HMC_CHAINS} draws"
    )

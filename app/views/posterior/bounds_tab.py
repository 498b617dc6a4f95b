"""The Bounds tab: all bounds and estimates of log p(x) on one axis in nats."""

from collections.abc import Sequence

import streamlit as st

from app.figures import posterior_values as figures
from app.figures.posterior_values import IwaeCurve, Mark
from app.figures.style import LOG_PX
from app.parts import charts, live, widgets
from app.parts.glossary import see
from app.services.work import Bench
from app.views.posterior import code, data, notes
from app.views.posterior.bounds_words import about_bounds
from app.views.posterior.families import Member
from app.views.posterior.subject import Subject
from app.views.posterior.tasks import CHAINS, QUICK, AnyTask, anneal_task, weights_task
from vae_core.inference.weights import Weights
from vae_core.wording.numbers import estimate

SAMPLES = (100, 1000, 10_000, 100_000)
TEMPERATURES = (100, QUICK, 500, 1000, 2000)
QUOTED = 500
_ANNEALING = "Fewer than 500 temperatures give a quick look, not a value to publish."


def pick_samples() -> int:
    """Draw the slider of K, the number of importance samples, the same on all tabs."""
    return st.select_slider(
        "Importance samples K",
        SAMPLES,
        value=10_000,
        format_func=lambda k: f"{k:,}",
        key="samples",
        bind="query-params",
        persist_state="session",
        help="Number of draws from each q(z|x). More draws bring log p̂(x) closer to log p(x)."
        + see("K", "log-px-hat"),
    )


def show(subject: Subject, members: Sequence[Member]) -> None:
    """Draw the tab."""
    left, middle, right = st.columns([4, 3, 4], gap="medium", vertical_alignment="bottom")
    with left:
        samples = pick_samples()
    both = subject.z is not None
    annealed = middle.toggle(
        "Anneal" + (" in both directions (BDMC)" if both else " (AIS)"),
        value=subject.d > 2,
        key="anneal-both" if both else "anneal" if subject.d > 2 else "anneal-too",
        bind="query-params",
        persist_state="session",
        help="Moves chains from the prior to the posterior, which gives a lower bound on log p(x). "
        "For an image that the model drew itself, reverse chains also give an upper bound.",
    )
    temperatures = right.select_slider(
        "Temperatures",
        TEMPERATURES,
        value=QUICK,
        key="temperatures",
        disabled=not annealed,
        bind="query-params",
        persist_state="session",
        help=f"Steps from prior to posterior. More steps give tighter bounds but take longer. "
        f"{_ANNEALING}",
    )
    tasks: list[AnyTask] = [weights_task(subject, m, samples) for m in members]
    if annealed:
        tasks.append(anneal_task(subject, temperatures))
    live.panel(
        tasks,
        lambda bench: _drawn(subject, members, bench, samples, temperatures if annealed else 0),
        "bounds",
    )
    note = f"annealing: {temperatures} temperatures, {CHAINS} chains" if annealed else ""
    notes.protocol(subject, K=samples, note=note)
    widgets.code(code.lines("bounds", subject, samples, temperatures))


def _drawn(
    subject: Subject, members: Sequence[Member], bench: Bench, samples: int, temperatures: int
) -> None:
    exact = data.exact(subject)
    weighed = [
        (m, w)
        for m in members
        if (w := bench.latest(weights_task(subject, m, samples))) is not None
    ]
    bounds = _annealed_marks(subject, bench, temperatures)
    marks = [Mark(f"ELBO, {m.name}", m.colour, *w.elbo, "lower") for m, w in weighed]
    marks += [
        Mark(f"IS, K = {len(w.log_w):,}, {m.name}", m.colour, *w.log_px, "estimate")
        for m, w in weighed
    ]
    marks += bounds
    if exact is not None:
        marks.append(Mark("log p(x), exact", LOG_PX.colour, *exact, "exact"))
    if not marks:
        return
    annealing = (1 if subject.z is None else 2) if temperatures else 0
    room = 2 * len(members) + annealing + (exact is not None)
    left, right = st.columns(2, gap="medium")
    with left:
        charts.chart(
            figures.bounds_figure(
                marks,
                exact[0] if exact else None,
                title="Bounds and estimates of log p(x)",
                room=room,
            ),
            "posterior-bounds",
            "On one axis of nats: "
            + "; ".join(f"{m.name} {estimate(m.value, m.error)}" for m in marks),
            {
                "what": [m.name for m in marks],
                "nats": [m.value for m in marks],
                "error": [m.error for m in marks],
                "kind": [m.kind for m in marks],
            },
        )
    with right:
        _iwae(weighed, exact, bounds)
    st.markdown(about_bounds(weighed, exact[0] if exact else None, bounds))
    st.caption(
        "A triangle is a bound and points towards log p(x). A dot is an importance sampling (IS) "
        "estimate, on average below log p(x). Lines are ± 2 standard errors. The IWAE bound with K "
        "samples starts at the ELBO (K = 1) and rises to log p(x). Each K uses all samples, in "
        "groups of K." + (f" {_ANNEALING}" if 0 < temperatures < QUOTED else "")
    )


def _iwae(
    weighed: Sequence[tuple[Member, Weights]],
    exact: tuple[float, float] | None,
    bounds: Sequence[Mark],
) -> None:
    """Draw the IWAE curves, with the exact value or the bounds of log p(x)."""
    curves = [IwaeCurve(m.name, m.colour, *w.curve) for m, w in weighed]
    sandwich = None
    if len(bounds) == 2:
        low, high = bounds
        sandwich = low.value - low.reach, high.value + high.reach
    if not curves:
        return
    charts.chart(
        figures.iwae_figure(curves, exact, sandwich),
        "posterior-iwae",
        "The IWAE bounds of each family rise with K from the ELBO towards log p(x).",
        {
            "family": [c.name for c in curves for _ in c.counts],
            "K": [k for c in curves for k in c.counts],
            "bound": [b for c in curves for b in c.bounds],
            "se": [e for c in curves for e in c.errors],
        },
    )


def _annealed_marks(subject: Subject, bench: Bench, temperatures: int) -> list[Mark]:
    state = bench.latest(anneal_task(subject, temperatures)) if temperatures else None
    if state is None:
        return []
    sides = (("AIS, from below", state.lower, "lower"), ("BDMC, from above", state.upper, "upper"))
    return [
        Mark(name, LOG_PX.colour, float(side.log_px), float(side.se), kind)  # type: ignore[arg-type]
        for name, side, kind in sides
        if side is not None
    ]

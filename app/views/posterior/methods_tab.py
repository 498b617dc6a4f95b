"""The Methods tab: compare inference methods by their draws, their value and their time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.figures import posterior_plane as figures
from app.figures import posterior_values
from app.figures.latent_map import density_bars
from app.figures.posterior_plane import Curve, Layer
from app.figures.posterior_values import Kind, Mark
from app.figures.style import HIGHLIGHT, LOG_PX
from app.parts import charts, live, widgets
from app.services.work import Bench, Task
from app.views.posterior import code, data, notes
from app.views.posterior.families import Member, colour_of
from app.views.posterior.subject import Subject
from app.views.posterior.tasks import METHOD_DRAWS, method_task
from app.views.posterior.truth_tab import true_draws
from vae_core.inference import methods as inference_methods
from vae_core.inference.methods import NOT_REACHED, State
from vae_core.wording.numbers import number

_AT_FIRST = (
    "amortised", "gauss-newton", "svi-mean-field", "svi-full", "hmc", "quadrature", "closed-form"
)  # fmt: skip
_SHOWN = 500  # draws
_HEIGHT = 210
_KINDS: dict[inference_methods.Kind, tuple[str, Kind]] = {
    "bound": ("a lower bound on log p(x)", "lower"),
    "estimate": ("an estimate, which may exceed log p(x)", "estimate"),
    "exact": ("log p(x) itself", "exact"),
    "draws": ("draws only, no value", "estimate"),
}


class Entry(NamedTuple):
    """A method to run. The amortised method is run once per family."""

    title: str
    colour: str
    method: inference_methods.Method
    task: Task[State]


def show(subject: Subject, members: Sequence[Member]) -> None:
    """Draw the tab."""
    usable = {method.title: method for method in inference_methods.available(subject.model)}
    if "methods" in st.session_state:
        kept = [t for t in st.session_state["methods"] or [] if t in usable]
        st.session_state["methods"] = kept
    picked = st.pills(
        "Methods of inference",
        list(usable),
        selection_mode="multi",
        default=[title for title, method in usable.items() if method.name in _AT_FIRST],
        key="methods",
        bind="query-params",
        persist_state="session",
        help="All methods approximate p(z|x) for this image and this decoder. Adversarial "
        "inference takes the longest.",
    )
    chosen = entries(subject, members, [usable[title] for title in usable if title in picked])
    if not chosen:
        st.info("Choose at least one method.", icon=":material/info:")
        return
    tasks = [entry.task for entry in chosen]
    live.panel(tasks, lambda bench: _drawn(subject, chosen, bench), "methods")
    notes.protocol(subject, L=METHOD_DRAWS, note="times were measured on this computer just now")
    widgets.code(code.lines("methods", subject))


def entries(
    subject: Subject, members: Sequence[Member], methods: Sequence[inference_methods.Method]
) -> list[Entry]:
    """List what to run: the amortised q for every chosen family, the other methods once."""
    own = Member(subject.choice)
    colours = {
        "refitted": own.colour,
        "gauss-newton": colour_of("full"),
        "svi-mean-field": colour_of("mean-field"),
        "svi-full": colour_of("full"),
        "avb": HIGHLIGHT,
    }
    found = []
    for method in methods:
        if method.name == "amortised":
            found += [
                Entry(
                    f"Amortised: {m.name}",
                    m.colour,
                    method,
                    method_task(subject.on(m.choice), method.name),
                )
                for m in members
            ]
            continue
        title = f"Refitted: {own.name}" if method.name == "refitted" else method.title
        colour = colours.get(method.name, LOG_PX.colour)
        found.append(Entry(title, colour, method, method_task(subject, method.name)))
    return found


def _drawn(subject: Subject, chosen: Sequence[Entry], bench: Bench) -> None:
    states = [(entry, bench.latest(entry.task)) for entry in chosen]
    picture = _canvas(subject, bench)
    with st.container(key="posterior-cards"):
        for position, (entry, state) in enumerate(states):
            with st.container(key=f"posterior-card-{position}", gap=None):
                _card(entry, state, picture)
    room = sum(entry.method.kind != "draws" for entry in chosen)
    _values(subject, [(e, s) for e, s in states if s is not None], room)


class _Canvas(NamedTuple):
    """Makes figures of a method's draws, (n, d), over the true posterior."""

    subject: Subject
    truth: np.ndarray | None

    def figure(self, draws: np.ndarray, colour: str) -> go.Figure:
        subject, grid = self.subject, data.truth(self.subject)
        if grid is not None and subject.d == 1:
            curves = []
            if len(draws):
                bars = density_bars(draws[:, 0], "", colour, bins=22)
                curves = [Curve("", colour, np.array(bars.x), np.array(bars.y))]
            z, density = data.axes(grid)[0], data.density(grid)
            return figures.line_figure(z, density, curves, height=_HEIGHT, bare=True)
        points = draws[:_SHOWN]
        if grid is not None:
            ground = data.ground_of(grid, every=2)
            return figures.plane_figure(
                ground, [Layer("", colour, draws=points)], window=figures.window_of(ground, []),
                height=_HEIGHT, bare=True,
            )  # fmt: skip
        plane = data.plane(subject, Member(subject.choice))
        behind = None if self.truth is None else plane.project(self.truth[:_SHOWN])
        cloud = plane.project(data.shape(subject, Member(subject.choice)).draws)
        window = figures.window_of(None, [Layer("", "", draws=cloud)], behind)
        return figures.plane_figure(
            None, [Layer("", colour, draws=plane.project(points))], true_draws=behind,
            window=window, height=_HEIGHT, bare=True,
        )  # fmt: skip


def _canvas(subject: Subject, bench: Bench) -> _Canvas:
    return _Canvas(subject, true_draws(subject, bench) if subject.d > 2 else None)


def _card(entry: Entry, state: State | None, canvas: _Canvas) -> None:
    st.markdown(f"**{entry.title}**", help=entry.method.about)
    d = canvas.subject.d
    draws = np.zeros((0, d)) if state is None else state.draws.double().numpy()
    charts.chart(
        canvas.figure(draws, entry.colour),
        f"posterior-{entry.method.name}-{entry.title.rpartition(' ')[2].lower()}",
        f"{len(draws):,} draws by {entry.title} over the true posterior.",
        {f"z_{i}": column for i, column in enumerate(draws.T, 1)},
    )
    st.caption("waiting" if state is None else _said(entry, state))


def _said(entry: Entry, state: State) -> str:
    what, _ = _KINDS["estimate" if NOT_REACHED in state.diagnostics else entry.method.kind]
    first = what if state.value is None else f"**{number(state.value, state.error)}**, {what}"
    told = notes.diagnostics(state.diagnostics)
    under_way = "" if state.share == 1 else f", {state.share:.0%} done"
    time = f"{state.seconds:.1f} s{under_way}"
    return "  \n".join([first, " · ".join(filter(None, [told, time]))])


def _values(subject: Subject, states: Sequence[tuple[Entry, State]], room: int) -> None:
    """Draw the values of all methods on one axis."""
    exact = data.exact(subject)
    marks = [
        Mark(e.title, e.colour, s.value, s.error or 0.0, _KINDS[e.method.kind][1])
        for e, s in states
        if s.value is not None
    ]
    if not marks:
        return
    columns = {
        "method": [e.title for e, _ in states],
        "kind": [e.method.kind for e, _ in states],
        "nats": ["" if s.value is None else s.value for _, s in states],
        "error": ["" if s.error is None else s.error for _, s in states],
        "seconds": [s.seconds for _, s in states],
        "diagnostics": [
            "; ".join(f"{k} {v:.4g}" for k, v in s.diagnostics.items()) for _, s in states
        ],
    }
    charts.chart(
        posterior_values.bounds_figure(
            marks,
            exact[0] if exact else None,
            title="log p(x) by each method",
            room=room,
        ),
        "posterior-methods",
        "; ".join(f"{m.name}: {number(m.value, m.error)}" for m in marks),
        columns,
    )
    doubtful = [e.title for e, s in states if s.share == 1 and not notes.mixed(s.diagnostics)]
    grey = (
        "coloured dots are the draws of a method"
        if subject.d <= 2
        else "drawn by HMC if HMC is chosen, in the plane of the Posterior tab"
    )
    text = (
        f"Grey is the true posterior, {grey}. A triangle is a lower bound, a circle is an estimate "
        "that may lie above log p(x), a diamond is the exact value. Lines are ± 2 standard errors."
    )
    if doubtful:
        text += (
            f" R̂ is above {notes.MIXED}: the chains of {', '.join(doubtful)} have not mixed well."
        )
    st.caption(text)

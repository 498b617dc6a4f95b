"""The Flow steps tab: how each step of a flow transforms the draws."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.figures import posterior_plane as figures
from app.figures.latent_map import density_bars
from app.figures.posterior_plane import Curve
from app.parts import charts, play, widgets
from app.shell import navigation
from app.views.posterior import code, data, notes
from app.views.posterior.families import Member
from app.views.posterior.shapes import DRAWS, Floats, Steps
from app.views.posterior.subject import Subject
from app.views.posterior.truth_tab import GREY, plane_titles
from vae_core.wording.numbers import typeset

_ORDER_REVERSING = ("iaf",)


def show(subject: Subject, members: Sequence[Member]) -> None:
    """Draw the tab, or an explanation if no flow is chosen."""
    flows = {member.name: member for member in members if member.is_flow}
    if not flows:
        st.info(
            "A Gaussian q(z|x) has a single step, z = μ + Cε, so this tab has nothing to show. "
            "Choose a flow under *Families of q*, or a model with a flow.",
            icon=":material/info:",
        )
        navigation.link("train", "Train a flow")
        return
    slide, choose = st.columns([6, 5], gap="medium", vertical_alignment="bottom")
    with choose:
        member = flows[_pick_flow(list(flows))]
    steps = data.steps(subject, member)
    last = len(steps.log_abs_dets)
    if not 0 <= st.session_state.get("step", last) <= last:
        st.session_state["step"] = last
    with slide, st.container(horizontal=True, wrap=False, vertical_alignment="bottom"):
        play.button("the steps of the flow")
        step = _pick_step(last)
    plot, about = st.columns([10, 6], gap="medium")
    with about:
        still = subject.d > 1 and st.toggle(
            "Same axes for all steps",
            key="still",
            bind="query-params",
            persist_state="session",
            help="On: shows how far the draws move and shrink. Off: each step fills the picture.",
        )
    with plot:
        _stage(subject, member, steps, step, still)
        st.caption(_reading(subject, member, step))
    with about:
        _bars(member, steps, step)
        st.markdown(_said(member, steps, step))
    notes.protocol(subject, L=DRAWS)
    widgets.code(code.lines("flow", subject.on(member.choice)))


def _pick_step(last: int) -> int:
    """Draw the slider of the step."""
    return st.slider(
        "Step t",
        0,
        last,
        value=last,
        key="step",
        bind="query-params",
        persist_state="session",
        help="0 is the Gaussian from the encoder. Each step is one map z_t = f_t(z_{t−1}).",
    )


def _pick_flow(names: Sequence[str]) -> str:
    """Choose the flow to show. A control appears only if several flows are chosen."""
    if len(names) == 1:
        return names[0]
    if st.session_state.get("flow") not in names:  # another decoder has other flows
        st.session_state.pop("flow", None)
    return st.segmented_control(
        "Flow",
        names,
        default=names[0],
        required=True,
        key="flow",
        help="Which of the chosen flows to show step by step.",
        **widgets.IN_URL,
    )


def _stage(subject: Subject, member: Member, steps: Steps, step: int, still: bool) -> None:
    log_abs_det = steps.log_abs_dets[step - 1] if step else None
    title = f"z{_sub(step)} of {member.name}" + ("" if step else ", the Gaussian base")
    if subject.d == 1:
        figure = _on_a_line(subject, member, steps, step, title)
    elif subject.d == 2:
        grid = data.truth(subject)
        assert grid is not None
        ground = data.ground_of(grid)
        traces = figures.flow_points(
            steps.points[step], log_abs_det, steps.curves[step], member.colour
        )
        window = _both(
            _around(steps.points if still else steps.points[step]), figures.window_of(ground, [])
        )
        figure = figures.flow_figure(ground, traces, window, title=title, titles=("z₁", "z₂"))
    else:
        plane = data.plane(subject, member)
        points = plane.project(steps.points)
        traces = figures.flow_points(points[step], log_abs_det, (), member.colour)
        window = _around(points if still else points[step])
        figure = figures.flow_figure(
            None, traces, window, title=title, titles=plane_titles(plane, steps.points[-1])
        )
    charts.chart(
        figure,
        "posterior-flow",
        f"{DRAWS} draws after step {step} of {len(steps.log_abs_dets)} of the {member.title}.",
        {f"z_{i}": column for i, column in enumerate(steps.points[step].T, 1)}
        | ({} if log_abs_det is None else {"log_abs_det": log_abs_det}),
    )


def _reading(subject: Subject, member: Member, step: int) -> str:
    """Caption of a stage."""
    drawn = f"draws of z{_sub(step)}"
    if subject.d == 1:
        return f"{GREY[0]} Line: the density of {drawn}."
    dots = f"Dots: {drawn}, " + (
        "coloured by log |det| of this step at each draw." if step else "before any step."
    )
    if subject.d == 2:
        return f"{GREY[1]} {dots} Lines: where the circles |ε| = 1 and 2 are now."
    return (
        f"{dots} The picture shows the plane in which the last stage of {member.name} is narrowest "
        f"compared with the prior. The other {subject.d - 2} directions are not shown."
    )


def _around(points: Floats) -> tuple[Floats, Floats]:
    flat = points.reshape(-1, 2)
    low, high = np.quantile(flat, 0.005, axis=0), np.quantile(flat, 0.995, axis=0)
    return low - 0.08 * (high - low), high + 0.08 * (high - low)


def _both(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Corners of the smallest window that contains both windows."""
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def _on_a_line(subject: Subject, member: Member, steps: Steps, step: int, title: str) -> go.Figure:
    bars = density_bars(steps.points[step][:, 0], "", member.colour)
    grid = data.truth(subject)
    assert grid is not None
    curve = Curve(f"draws of z{_sub(step)}", member.colour, np.array(bars.x), np.array(bars.y))
    return figures.line_figure(data.axes(grid)[0], data.density(grid), [curve], title=title)


def _bars(member: Member, steps: Steps, step: int) -> None:
    mean = steps.log_abs_dets.mean(1)
    charts.chart(
        figures.flow_bars(steps.log_abs_dets, step, member.colour),
        "posterior-dets",
        "Bars of the mean log |det| of each step: "
        + ", ".join(f"{value:.2f}" for value in mean)
        + " nats.",
        {
            "step": np.arange(1, len(mean) + 1),
            "mean_log_abs_det": mean,
            "sd": steps.log_abs_dets.std(1),
        },
    )


def _said(member: Member, steps: Steps, step: int) -> str:
    total = steps.log_abs_dets[:step].sum(0)
    if step == 0:
        text = (
            "**t = 0**: the Gaussian base z₀ from the encoder. Each step then moves every draw. "
            "Where it stretches space (log |det| above 0), the density of q falls. Where it "
            "squeezes space, the density rises."
        )
    else:
        here = steps.log_abs_dets[step - 1]
        does = "stretches" if here.mean() > 0 else "squeezes"
        spread = here.std()
        how = (
            f"by a factor that differs between draws (sd {spread:.2f} nats)"
            if spread > 0.05
            else "by nearly the same factor everywhere"
        )
        text = (
            f"**t = {step}**: this step {does} space, by {typeset(here.mean(), '+.2f')} nats on "
            f"average, {how}. So far log q has changed by {typeset(-total.mean(), '+.2f')} nats "
            "on average."
        )
    if member.family in _ORDER_REVERSING and 0 < step < len(steps.log_abs_dets):
        text += (
            " Every autoregressive step except the last also reverses the order of the dimensions. "
            "The picture is then mirrored at the diagonal."
        )
    return text


def _sub(step: int) -> str:
    return str(step).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))

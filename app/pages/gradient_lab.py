"""Gradients: how noisy each estimator of the ELBO's gradient is, and what samples buy."""

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app import services, shell, widgets
from app.gradient import controls
from app.gradient.controls import Asked
from app.gradient.table import cells
from app.train_estimate import duration

if TYPE_CHECKING:
    from app.gradient.measure import Measurement
    from app.gradient.table import Point
    from app.work import Known

LEAD = (
    "All estimators of the ELBO's gradient aim at the same one. How far do they scatter, and what "
    "do more samples buy?"
)
SLICE, TICK = 0.4, 0.5  # seconds of work before the page is drawn again, and between two draws
REMEMBERED = 2000  # points
KEPT = 4  # measurements of a session that can be gone back to before they are finished


@st.cache_resource(show_spinner=False)
def known() -> "Known[Point]":
    """The finished points of everyone."""
    from app.work import Known

    return Known(REMEMBERED)


def measurement_for(asked: Asked) -> "Measurement":
    """The measurement of what is asked for: the one under way, where there is one."""
    from app.gradient.measure import Measurement

    mine = st.session_state.setdefault("gradient-measurements", OrderedDict())
    if asked.protocol not in mine:
        model = services.model(asked.choice)
        x = asked.images().to(model.device)
        mine[asked.protocol] = Measurement(asked.protocol, model, x, known())
        while len(mine) > KEPT:
            mine.popitem(last=False)
    mine.move_to_end(asked.protocol)
    found = mine[asked.protocol]
    found.want(cells(asked.gradients, asked.largest, asked.protocol.inside))
    return found


def progress(measurement: "Measurement") -> None:
    """How far the work is, and a way to stop it."""
    made, whole = measurement.estimates
    if measurement.done:
        if whole:
            st.caption(f":material/check: All {whole:,} estimates are made.")
        return
    bar, button = st.columns([8, 2], vertical_alignment="center")
    left = measurement.seconds_left
    to_go = "" if left is None else f", about {duration(left)} to go"
    bar.progress(measurement.share, f"{made:,} of {whole:,} estimates{to_go}")
    if measurement.stopped:
        button.button("Go on", on_click=measurement.go_on, key="gradient-stop", width="stretch",
                      help="Makes the remaining estimates as well.")  # fmt: skip
    else:
        button.button("Stop", on_click=measurement.stop, key="gradient-stop", width="stretch",
                      help="Keeps the estimates made so far and makes no more.")  # fmt: skip


def results(asked: Asked, measurement: "Measurement", ticking: bool) -> None:
    """Everything measured; a fragment, so that it is drawn anew without the controls above."""
    from app.gradient import panels

    if measurement.working != ticking:
        st.rerun()  # stopped or taken up again: the fragment's clock is set by the page
    with st.container(key="gradient-progress"):
        progress(measurement)
    text = st.container()
    first, second = st.columns(2, gap="medium")
    with st.container(key="gradient-below"):
        third, fourth = st.columns(2, gap="medium")
    with third:
        samples, dimension, wide = panels.choose_point(asked)
    table = measurement.shown()
    with text:
        panels.said(table, samples, dimension)
    with first:
        panels.variance(asked, table, samples)
    with second:
        panels.signal_to_noise(asked, table, samples)
    with third:
        panels.coordinate(asked, table, samples, dimension, wide)
    with fourth:
        panels.cost(asked, table, samples)
    panels.about()
    panels.code(asked, samples, dimension)
    if measurement.working:
        measurement.advance(SLICE)
        if measurement.done:
            st.rerun()


st.html(Path(__file__).parent.parent / "gradient.css")
controls.look()
widgets.header("Gradients", "" if shell.presenting() else LEAD)
asked = controls.ask()
with st.spinner("Loading the model"):
    measurement = measurement_for(asked)
    if measurement.working:
        measurement.advance(SLICE)
tick = TICK if measurement.working else None
st.fragment(results, run_every=tick)(asked, measurement, measurement.working)

"""Gradients: how noisy each estimator of the ELBO's gradient is, and what samples buy."""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app.parts import live, widgets
from app.services import models
from app.shell import errors, frame
from app.views.gradients import controls
from app.views.gradients.controls import Asked
from app.views.gradients.table import cells

if TYPE_CHECKING:
    from app.services.work import Known
    from app.views.gradients.measure import Estimates, Measurement
    from app.views.gradients.table import Point

LEAD = (
    "All estimators of the ELBO's gradient aim at the same one. How far do they scatter, and what "
    "do more samples buy?"
)
REMEMBERED = 2000  # points
UNDER_WAY = 8  # protocols whose unfinished points are kept: each point has a model of its own


@st.cache_resource(show_spinner=False)
def shared() -> "tuple[Known[Point], Known[Estimates]]":
    """Points, and what is under way: of the server, so that a reload goes on with its work."""
    from app.services.work import Known

    return Known(REMEMBERED), Known(UNDER_WAY)


def measurement_for(asked: Asked) -> "Measurement":
    """The measurement of what is asked for: the one under way, where there is one."""
    from app.views.gradients.measure import Measurement

    mine: Measurement | None = st.session_state.get("gradient-measurement")
    if mine is None or mine.protocol != asked.protocol:
        mine = st.session_state["gradient-measurement"] = Measurement(estimates_for(asked))
    mine.want(cells(asked.gradients, asked.largest, asked.protocol.inside))
    return mine


def estimates_for(asked: Asked) -> "Estimates":
    """The estimates that all sessions share which ask for the same."""
    from app.views.gradients.measure import Estimates

    points, under_way = shared()
    found = under_way.get(asked.protocol)
    if found is None:
        model = models.model(asked.choice)
        x = asked.x().to(model.device)
        fresh = Estimates(asked.protocol, model, x, points)
        found = under_way.setdefault(asked.protocol, fresh)
    return found


def progress(measurement: "Measurement") -> None:
    """How far the work is, and a way to stop it."""
    made, whole = measurement.estimates
    if measurement.done:
        st.caption(f":material/check: All {whole:,} estimates are made.")
        return
    text = f"{made:,} of {whole:,} estimates"
    if measurement.error is not None:
        text = errors.sentence(measurement.error)
    live.control(measurement, text, "gradient")


def results(asked: Asked, measurement: "Measurement") -> None:
    """Everything measured, as far as it is."""
    from app.views.gradients import panels

    with st.container(key="gradient-progress"):
        progress(measurement)
    text = st.container(key="gradient-said", gap="xsmall")
    first, second = st.columns(2, gap="medium")
    # Before an audience the charts come sooner.
    more = st.container(key="gradient-more") if frame.presenting() else text
    with st.container(key="gradient-below"):
        third, fourth = st.columns(2, gap="medium")
    with third:
        samples, dimension, wide = panels.choose_point(asked)
    table = measurement.shown()
    with text:
        panels.compared(table, samples)
    with more:
        panels.explained(table, samples, dimension)
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


st.html(Path(__file__).with_name("style.css"))
controls.look()
widgets.header("Gradients", LEAD)
asked = controls.ask()
if not asked.gradients:
    st.info("Tick an estimator to see how noisy its gradient is.", icon=":material/info:")
else:
    with st.spinner("Loading the model"):
        measurement = measurement_for(asked)
    live.watch(measurement, lambda: results(asked, measurement))

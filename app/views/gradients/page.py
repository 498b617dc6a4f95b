"""Gradients page: how noisy each estimator of the ELBO gradient is, and what samples change."""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app.parts import live, widgets
from app.services.gradient_table import cells
from app.shell import errors, frame
from app.views.gradients import controls
from app.views.gradients.controls import MeasurementRequest

if TYPE_CHECKING:
    from app.services.gradient_work import Measurement

LEAD = (
    "Training follows the gradient of the ELBO, which can only be estimated from random draws. "
    "These estimators all have the same mean, the true gradient. How noisy is each of them, and "
    "how much do more draws help?"
)


def measurement_for(request: MeasurementRequest) -> "Measurement":
    """Return the running measurement of this request, or start one."""
    from app.services import gradient_work

    mine: Measurement | None = st.session_state.get("gradient-measurement")
    if mine is None or mine.protocol != request.protocol:
        estimates = gradient_work.estimates(request.protocol, request.choice, request.x)
        mine = st.session_state["gradient-measurement"] = gradient_work.Measurement(estimates)
    mine.want(cells(request.gradients, request.largest, request.protocol.inside))
    return mine


def progress(measurement: "Measurement") -> None:
    """Draw the progress of the work, with a button to stop it."""
    made, whole = measurement.estimates
    if measurement.done:
        st.caption(f":material/check: All {whole:,} estimates are done.")
        return
    text = f"{made:,} of {whole:,} estimates"
    if measurement.error is not None:
        text = errors.sentence(measurement.error)
    live.control(measurement, text, "gradient")


def results(request: MeasurementRequest, measurement: "Measurement") -> None:
    """Draw everything that is measured so far."""
    from app.views.gradients import panels

    with st.container(key="gradient-progress"):
        progress(measurement)
    text = st.container(key="gradient-said", gap="xsmall")
    first, second = st.columns(2, gap="medium")
    # In presentation mode the charts come first.
    more = st.container(key="gradient-more") if frame.presenting() else text
    with st.container(key="gradient-below"):
        third, fourth = st.columns(2, gap="medium")
    with third:
        samples, dimension, wide = panels.choose_point(request)
    table = measurement.shown()
    with text:
        panels.compared(table, samples)
    with more:
        panels.explained(table, samples, dimension)
    with first:
        panels.variance(request, table, samples)
    with second:
        panels.signal_to_noise(request, table, samples)
    with third:
        panels.coordinate(request, table, samples, dimension, wide)
    with fourth:
        panels.cost(request, table, samples)
    panels.about()
    panels.code(request, samples, dimension)


st.html(Path(__file__).with_name("style.css"))
controls.show_colours()
widgets.header("Gradients", LEAD)
request = controls.read_request()
if not request.gradients:
    st.info("Tick an estimator to see how noisy its gradient is.", icon=":material/info:")
else:
    with st.spinner("Loading the model"):
        measurement = measurement_for(request)
    live.watch(measurement, lambda: results(request, measurement), "gradients")

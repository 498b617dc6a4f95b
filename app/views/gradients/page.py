"""Gradients page: how noisy each estimator of the ELBO gradient is, and what samples change."""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app.parts import live, widgets
from app.services import models
from app.shell import errors, frame
from app.views.gradients import controls
from app.views.gradients.controls import MeasurementRequest
from app.views.gradients.table import cells

if TYPE_CHECKING:
    from app.services.work import Known
    from app.views.gradients.measure import Estimates, Measurement
    from app.views.gradients.table import Point

LEAD = (
    "All these estimators have the same mean: the gradient of the ELBO. How noisy is each of them, "
    "and how much do more samples help?"
)
REMEMBERED = 2000  # points
UNDER_WAY = 8  # protocols whose unfinished points are kept; each point holds its own model


@st.cache_resource(show_spinner=False)
def shared() -> "tuple[Known[Point], Known[Estimates]]":
    """Finished points and running estimates, kept on the server so that a reload continues them."""
    from app.services.work import Known

    return Known(REMEMBERED), Known(UNDER_WAY)


def measurement_for(request: MeasurementRequest) -> "Measurement":
    """Return the running measurement of this request, or start one."""
    from app.views.gradients.measure import Measurement

    mine: Measurement | None = st.session_state.get("gradient-measurement")
    if mine is None or mine.protocol != request.protocol:
        mine = st.session_state["gradient-measurement"] = Measurement(estimates_for(request))
    mine.want(cells(request.gradients, request.largest, request.protocol.inside))
    return mine


def estimates_for(request: MeasurementRequest) -> "Estimates":
    """Return the estimates for this request. Sessions with the same request share them."""
    from app.views.gradients.measure import Estimates

    points, under_way = shared()
    found = under_way.get(request.protocol)
    if found is None:
        model = models.model(request.choice)
        x = request.x().to(model.device)
        fresh = Estimates(request.protocol, model, x, points)
        found = under_way.setdefault(request.protocol, fresh)
    return found


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

"""Live panels beside the drawing pad: the score of the drawing, and its place in latent space."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.figures import latent_map as figures
from app.figures import style
from app.parts import charts
from app.services import data
from app.services import latent as latent_service
from app.services.latent import Places, View, prior_on_map
from app.services.models import Choice
from app.views.score.inputs import DRAWING, Given
from app.views.score.job import SEED, Job
from vae_core.analysis import latent
from vae_core.data.pixels import model_input
from vae_core.wording.numbers import in_hundredths

_POINTS, _DRAWS, _HEIGHT = 500, 100, 240


def line(job: Job) -> None:
    """Show the score in one line, for narrow screens where the report is out of sight."""
    found = (scored.report for given, scored in job.scored() if given.label == DRAWING)
    report = next(found, None)
    if report is None:
        st.caption("The score of your drawing appears here.")
        return
    score, place = report.score, report.score.place
    usual = f", percentile {place.percentile:.0f}: {report.verdict}" if place else ""
    st.markdown(f"**log p̂(x)** {in_hundredths(score.log_px, score.se)}{usual}")


def panel(job: Job, choice: Choice) -> None:
    """Draw the map of the data, with q(z|x) of the drawing if one exists."""
    kind, around = _around(choice)
    if around is None:
        return
    drawn = next((given for given in job.readable if given.label == DRAWING), None)
    mean, draws = _posterior(drawn, job, around) if drawn else (None, None)
    figure = _figure(around, choice, mean, draws)
    where = "" if mean is None else f" Your drawing lies at ({mean[0]:.2f}, {mean[1]:.2f})."
    charts.chart(figure, "score-place", f"Posterior means of {kind} images, by class.{where}")


def _around(choice: Choice) -> tuple[str, Places | None]:
    """Points of the map: test images, or training latents if the data set is missing."""
    if data.missing(choice):
        return "training", latent_service.training_places(choice)
    return "test", latent_service.cloud(View(choice, "test"))


def _posterior(given: Given, job: Job, around: Places) -> tuple[np.ndarray, np.ndarray]:
    """E[z|x] in the plane of the map, (2,), and draws of q(z|x), (n, 2)."""
    assert given.pixels is not None
    x = model_input(given.pixels, job.scorer.binarisation, SEED)
    model = job.scorer.model
    mean = latent.encode(model, x, SEED).mean.double().numpy()
    draws = latent.aggregate_draws(model, x, SEED, _DRAWS)
    return around.plane.project(mean)[0], around.plane.project(draws)


def _figure(
    around: Places, choice: Choice, mean: np.ndarray | None, draws: np.ndarray | None
) -> go.Figure:
    view = View(choice, "test")
    some = np.linspace(0, len(around.index) - 1, min(len(around.index), _POINTS)).astype(int)
    figure = figures.map_figure(
        around.points[some],
        around.index[some],
        around.labels[some],
        view.classes,
        view.d,
        around.plane.explained.tolist(),
        prior_on_map(around.plane, choice),
        chosen=mean if view.d == 1 else None,  # for d = 1 the figure places the point itself
        height=_HEIGHT,
    )
    figure.update_traces(marker_size=4)
    figure.update_layout(title_text="Where q(z|x) lies", showlegend=False, margin_t=36)
    titles = figures.axis_titles(view.d, around.plane.explained.tolist())
    across, up = (title.partition(",")[0] for title in titles)  # the chart is small
    figure.update_layout(xaxis_title_text=across, yaxis_title_text=up)
    if view.d > 1 and mean is not None and draws is not None:
        _mark(figure, draws, style.LOG_Q.colour, 3, "draws of q(z|x)")
        _mark(figure, mean[None], style.HIGHLIGHT, 10, "your drawing")
    return figure


def _mark(figure: go.Figure, points: np.ndarray, colour: str, size: int, name: str) -> None:
    figure.add_scatter(
        x=points[:, 0], y=points[:, 1], mode="markers", name=name, hoverinfo="name",
        marker={"color": colour, "size": size},
    )  # fmt: skip

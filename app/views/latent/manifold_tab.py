"""The Manifold tab: decoded images on a grid over the latent space."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.figures import latent_sheets as sheets
from app.figures.latent_map import axis_titles
from app.figures.pictures import as_picture
from app.parts import charts, widgets
from app.services import latent as latent_service
from app.services.latent import View
from app.views.latent import code
from app.views.latent.decode_tab import MAX_IN_ADDRESS, go_to
from vae_core.analysis import latent
from vae_core.basics.arrays import Floats
from vae_core.wording.numbers import typeset

SIZES = (10, 15, 20, 25, 30)
_LINES = 4  # for d = 1, the single dimension is split into this many rows
_SHEET = "latent-manifold"
_GO = "Click an image to open its z in the Decode tab."


@st.fragment
def manifold(view: View, index: int) -> None:
    """Show decoded images all over the prior, or all over the plane of the map."""
    plot, about = st.columns([10, 3], gap="medium")
    with about:
        size = st.select_slider(
            "Images per side",
            SIZES,
            value=20,
            key="side",
            bind="query-params",
            persist_state="session",
            help="How finely the latent space is sampled. More images, each of them smaller.",
        )
        st.caption(_what_is_shown(view))
    plane, prior = latent_service.cloud(view).plane, view.model.prior
    grid = latent.quantile_grid(prior, size, plane)
    if view.d == 1:
        grid = latent.quantile_grid(prior, size * _LINES, plane)[0].reshape(_LINES, size, 2)
    z = plane.lift(grid)
    images = as_picture(latent.decode(view.model, z))
    with plot:
        charts.chart(
            _sheet(view, images, grid),
            _SHEET,
            f"A sheet of {images.shape[0]} by {images.shape[1]} decoded images, from one end of "
            "the prior to the other.",
            lambda: sheets.sheet_csv(images),
            on_select=lambda: _go_to_clicked(view, index, z.reshape(-1, view.d)),
        )
    if st.session_state.get("tab") == "Decode":
        st.rerun()  # an image was clicked
    widgets.code(code.lines("Manifold", view))


def _sheet(view: View, images: np.ndarray, grid: Floats) -> go.Figure:
    x_title, y_title = axis_titles(view.d, latent_service.cloud(view).plane.explained.tolist())
    places = grid.reshape(-1, 2)[:, : min(view.d, 2)]
    hover = [", ".join(typeset(v, ".2f") for v in place) for place in places]
    flat = view.d == 1
    return sheets.sheet_figure(
        images,
        [""] * grid.shape[1] if flat else tick_labels(grid[0, :, 0]),
        [f"from {typeset(v, '.2f')}" for v in grid[:, 0, 0]]
        if flat
        else tick_labels(grid[:, 0, 1]),
        x_title=x_title,
        y_title="" if flat else y_title,
        height=320 if flat else 660,
        hover=hover if view.d <= MAX_IN_ADDRESS else (),
    )


def _go_to_clicked(view: View, index: int, z: Floats) -> None:
    points = st.session_state[_SHEET]["selection"]["points"]
    if points:
        go_to(view, index, z[points[0]["customdata"]])


def tick_labels(values: Floats) -> list[str]:
    """Labels for about seven of these values; the other labels are empty."""
    every = max(1, round(len(values) / 7))
    return [typeset(v, ".2f") if i % every == 0 else "" for i, v in enumerate(values)]


def _what_is_shown(view: View) -> str:
    spacing = "spaced so that each image stands for an equal share of the prior (by quantiles)"
    if view.d <= 2:
        return f"E[x|z] at latents {spacing}; Kingma & Welling 2014, appendix A. {_GO}"
    return (
        f"E[x|z] at latents in the plane of the first two principal components of the posterior "
        f"means, {spacing}. The other {view.d - 2} directions stay at the mean, so this is only a "
        f"slice through the {view.d} dimensions. {_GO}"
    )

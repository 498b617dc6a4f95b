"""The Latent space page without the data: decoder images and stored latents."""

import numpy as np
import streamlit as st
import torch
from torch import Tensor

from app.figures import latent_map as figures
from app.figures import latent_sheets as sheets
from app.figures.pictures import as_picture
from app.parts import charts, missing_data, widgets
from app.parts.text import shown_path
from app.services import latent as latent_service
from app.services import models
from app.services.latent import prior_on_map
from app.services.models import Choice
from app.views.latent.manifold_tab import tick_labels
from vae_core.analysis import latent
from vae_core.basics.arrays import Floats
from vae_core.wording.numbers import typeset

_SIDE = 15  # images of the manifold
_SAMPLES = (8, 10)  # rows and columns
_ROWS, _STEPS = 8, 13
_HEIGHT = 460
WITHOUT_DATA = (
    "A close look at single images and the paths between them need the data. Below you see where "
    "the training images lie, and what the decoder draws for any z."
)


def show(choice: Choice) -> None:
    """Show the panel about the missing data, and everything that works without the data."""
    missing_data.panel(choice, WITHOUT_DATA)
    d = choice.run.config.model.latent_size
    places = latent_service.training_places(choice)
    left, right = st.columns(2, gap="medium")
    with right if places else st.container():
        if d == 2:
            _manifold(choice)
        else:
            _samples(choice)
    if places is not None:
        with left:
            _map(choice, places)
    if d != 2:
        _traversals(choice)
    widgets.code(_code(choice))


def _map(choice: Choice, places: latent_service.Places) -> None:
    d = choice.run.config.model.latent_size
    info = choice.run.config.info
    figure = figures.map_figure(
        places.points,
        places.index,
        places.labels,
        info.classes,
        d,
        places.plane.explained.tolist(),
        prior_on_map(places.plane, choice),
        height=_HEIGHT,
    )
    alt = f"Scatter plot: posterior means of {len(places.index):,} training images, by class."
    charts.chart(figure, "latent-map", alt)
    st.caption(
        f"{len(places.index):,} training images of {info.title}. Their latents are stored "
        "with the model, their pictures are not. Dotted: 1, 2, 3 σ of the prior."
    )


def _manifold(choice: Choice) -> None:
    grid = latent.quantile_grid(models.model(choice).prior, _SIDE)
    figure = sheets.sheet_figure(
        _decoded(choice, grid),
        tick_labels(grid[0, :, 0]),
        tick_labels(grid[:, 0, 1]),
        title="E[x|z] all over the prior",
        x_title=figures.dimension_name(0),
        y_title=figures.dimension_name(1),
        height=_HEIGHT,
    )
    alt = f"A sheet of {_SIDE} by {_SIDE} decoded images, from one end of the prior to the other."
    charts.chart(figure, "latent-manifold", alt)
    st.caption(
        "Each image stands for an equal share of the prior (by quantiles); Kingma & Welling 2014, "
        "appendix A."
    )


def _samples(choice: Choice) -> None:
    rows, columns = _SAMPLES
    prior = models.model(choice).prior
    generator = torch.Generator(prior.origin.device).manual_seed(latent_service.SEED)
    figure = sheets.sheet_figure(
        _decoded(choice, prior.sample((rows, columns), generator)),
        [""] * columns,
        [""] * rows,
        title="E[x|z], z drawn from the prior",
        height=_HEIGHT,
    )
    alt = f"{rows * columns} images that the model generates from draws of the prior."
    charts.chart(figure, "latent-samples", alt)
    st.caption(f"{rows * columns} draws z ~ p(z), decoded; seed {latent_service.SEED}.")


def _traversals(choice: Choice) -> None:
    """Move single dimensions from z = 0: those that change the image most, one per row."""
    d = choice.run.config.model.latent_size
    ends = _decoded(choice, latent.traversals(np.zeros(d), range(d), np.array([-2.0, 2.0])))
    moved = np.abs(ends[:, 1] - ends[:, 0]).reshape(d, -1).sum(1)
    dims = np.argsort(-moved)[:_ROWS].tolist()
    values = np.linspace(-3, 3, _STEPS)
    figure = sheets.sheet_figure(
        _decoded(choice, latent.traversals(np.zeros(d), dims, values)),
        [typeset(value, "g") for value in values],
        [figures.dimension_name(i) for i in dims],
        title="One dimension at a time, from z = 0",
        x_title="value of the dimension, in σ of the prior",
        height=80 + 55 * len(dims),
    )
    alt = f"{len(dims)} rows of decoded images; in each, one latent dimension goes from −3 to 3."
    charts.chart(figure, "latent-traversals", alt)
    st.caption("The dimensions that change the image most, strongest first.")


def _code(choice: Choice) -> list[str]:
    d = choice.run.config.model.latent_size
    lines = [
        *(["import numpy as np", ""] if d != 2 else []),
        "from vae_core import load_model",
        "from vae_core.analysis import latent",
        "",
        f'model = load_model("{shown_path(choice.run.folder)}")',
    ]
    if d == 2:
        grid = f"latent.quantile_grid(model.prior, {_SIDE})"
        return [*lines, f"images = latent.decode(model, {grid})  # ({_SIDE}, {_SIDE}, C, H, W)"]
    rows, columns = _SAMPLES
    return [
        *lines,
        f"z = model.prior.sample(({rows}, {columns}))",
        "samples = latent.decode(model, z)",
        f"values = np.linspace(-3, 3, {_STEPS})",
        f"rows = latent.traversals(np.zeros({d}), range({d}), values)",
        "images = latent.decode(model, rows)  # one row per dimension",
    ]


def _decoded(choice: Choice, z: Floats | Tensor) -> np.ndarray:
    return as_picture(latent.decode(models.model(choice), z))

"""The Traverse tab: move one latent dimension at a time."""

import numpy as np
import streamlit as st

from app.figures import latent_sheets as sheets
from app.figures.latent_map import dimension_name
from app.figures.pictures import as_picture, tile
from app.parts import animation, charts, widgets
from app.parts.animation import LARGE, Film
from app.services import latent as latent_service
from app.services.latent import View
from app.views.latent import code, data
from app.views.latent.data import Point
from app.views.latent.interpolate_tab import _FRAMES, _SECONDS, _STEPS
from vae_core.analysis import latent
from vae_core.wording.numbers import typeset

MAX_ROWS = 10
_FEW_ROWS = 4
_COLUMNS = 5  # of the pictures of an animation


def traverse(view: View, index: int) -> None:
    """Show the dimensions with the most KL, one per row, moved while the others stay fixed."""
    point = data.point(view, index)
    dims = latent_service.cloud(view).dimensions
    rows = dims.order[:MAX_ROWS].tolist()
    values = np.linspace(-3, 3, _STEPS + 2)
    images = as_picture(latent.decode(view.model, latent.traversals(point.mean, rows, values)))
    figure = sheets.sheet_figure(
        images,
        [typeset(value, "g") for value in values],
        [
            f"{dimension_name(i)} {'dead' if dims.dead[i] else f'{dims.kl[i]:.2f} nats'}"
            for i in rows
        ],
        x_title="value of the dimension, in σ of the prior",
        height=80 + min(60 * len(rows), 530),
    )
    with st.container(key="latent-few-rows" if len(rows) <= _FEW_ROWS else "latent-rows"):
        charts.chart(
            figure,
            "latent-traversals",
            f"{len(rows)} rows of decoded images; in each, one latent dimension goes from −3 to 3.",
            lambda: sheets.sheet_csv(images),
        )
    st.caption(
        f"Every row starts from the posterior mean of image {point.index} and moves one dimension. "
        "Rows are sorted by KL, averaged over the images shown on the map. A dead dimension "
        "changes nothing."
    )
    animation.button(
        lambda: _film(view, point, rows),
        "latent-traversals",
        "Saves an animation: every dimension of the sheet moves from −3 to 3 and back, all at "
        "once, each in a picture of its own.",
        f"traversals-of-{point.index}",
    )
    widgets.code(code.lines("Traverse", view, point.index))


def _film(view: View, point: Point, rows: list[int]) -> Film:
    """One picture for each dimension, in the order of the sheet, row by row."""
    values = np.linspace(-3, 3, _FRAMES)
    images = as_picture(latent.decode(view.model, latent.traversals(point.mean, rows, values)))
    names = ", ".join(f"z{i + 1}" for i in rows)
    captions = [f"{value:+.2f}: {names}" for value in values]
    frames = [tile(images[:, i], _COLUMNS) for i in range(_FRAMES)]
    return Film(frames, _SECONDS, captions, back=True, side=LARGE)

"""The Map tab: posterior means of the data on a plane, or in an embedding that keeps neighbours."""

from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from app.figures import latent_map as figures
from app.figures import style
from app.figures.latent_map import Scale
from app.parts import charts, widgets
from app.parts.components.map_hover import map_hover
from app.parts.glossary import see
from app.services import latent, thumbnails
from app.services.embeddings import METHODS
from app.services.latent import Cloud, View, prior_on_map
from app.views.latent import code, data, embedding, region, selection
from app.views.latent.point import show_point
from vae_core.basics.arrays import Floats
from vae_core.settings.protocol import Protocol

COLOURS = ("class", "KL", "log p(x)")
MAP = "latent-map"


def show(view: View, index: int) -> None:
    """Show the map beside the chosen image. A click does not redraw the map."""
    plot, detail = st.columns([13, 11], gap="medium")
    with plot:
        drawn = show_map(view, index)
    with detail:
        show_point(view, data.point(view, index))
    if drawn is not None:
        region.show(view, index, *drawn)
    widgets.code(code.lines("Map", view, index, more=embedding.code(view)))


def show_map(view: View, index: int) -> tuple[Cloud, str] | None:
    """Show the controls and the map; return what it shows, or None before it is finished.

    Returns:
        The images with the places where they are drawn, and the method of an embedding or "".
    """
    with st.container(key="latent-map-controls", horizontal=True, gap="medium"):
        colour = st.segmented_control(
            "Colour by",
            COLOURS,
            default="class",
            required=True,
            key="colour",
            bind="query-params",
            persist_state="session",
            help="By class, by the KL of q(z|x) to the prior in nats, or by log p(x) in nats."
            + see("kl", "px"),
        )
        method = embedding.pick(view)
    scores = latent.held_out(view)
    if colour == "log p(x)" and scores is None:
        st.caption(
            "log p(x) is known only for test images of a finished run. The colours show the class."
        )
        colour = "class"
    scored = colour == "log p(x)"
    if not method:
        around = latent.cloud(view, scored)
    else:
        points = embedding.points(view, method)
        if points is None:
            return None
        around = _embedded(view, points, scored)
    around = replace(around, points=figures.drawn_points(around.points, around.labels, view.d))
    _chart(view, index, around, colour, method)
    _hover(view, around)
    _protocol(view, around, scored, method)
    return around, method


def _embedded(view: View, points: Floats, scored: bool) -> Cloud:
    """The images of the map at their places in an embedding; only those with scores, if asked."""
    around = latent.cloud(view)
    scores = latent.held_out(view) if scored else None
    kept = np.ones(len(points), bool) if scores is None else around.index < len(scores.log_px)
    return replace(
        around,
        index=around.index[kept],
        labels=around.labels[kept],
        means=around.means[kept],
        points=points[kept],
    )


def _chart(view: View, index: int, around: Cloud, colour: str, method: str) -> None:
    scale = _scale(view, around, colour)
    area = region.of_address(view, method)
    drawn = _drawn_as_chosen((view.identity(), colour, method, area), index)
    figure = figures.map_figure(
        around.points,
        around.index,
        around.labels,
        view.classes,
        view.d,
        around.plane.explained.tolist(),
        None if method else prior_on_map(around.plane, view.choice),
        embedding=method,
        region=area,
        scale=scale,
        chosen=_place(view, around, drawn, method),
    )
    charts.chart(
        figure,
        MAP,
        f"Scatter plot{f' ({method})' if method else ''}: posterior means of "
        f"{len(around.index):,} images, coloured by {colour}. The number input chooses an image, "
        "like a click.",
        lambda: _csv(view, around, scale),
        on_select=lambda: _take_selection(view, method),
        selection_mode=("points", "box", "lasso"),
    )


def _scale(view: View, around: Cloud, colour: str) -> Scale | None:
    scores = latent.held_out(view)
    if colour == "KL":
        return Scale("KL (nats)", data.kl_of_cloud(view))
    if colour == "log p(x)" and scores is not None:
        return Scale("log p(x) (nats)", scores.log_px.numpy()[around.index])
    return None


@st.fragment
def _hover(view: View, around: Cloud) -> None:
    """Show the image of a point at the pointer. The pictures are made when it first comes."""
    anchor = "/".join((*view.identity(), str(len(around.index)), str(around.index[-1])))
    map_hover(
        "latent-hover",
        MAP,
        anchor,
        around.index,
        lambda: thumbnails.atlas(view, around.index),
        on_ask=selection.keep,
    )


def _protocol(view: View, around: Cloud, scored: bool, method: str) -> None:
    shown = len(around.index)
    of = f" of {view.count:,}" if shown < view.count else ""
    scores = latent.held_out(view) if scored else None
    protocol = Protocol(
        view.data_info.name,
        view.split,
        importance_samples=None if scores is None else scores.protocol["importance_samples"],
        seed=latent.SEED,
    )
    how = "dotted: 1, 2, 3 σ of the prior"
    if method:
        how = METHODS[method].protocol(len(latent.cloud(view).index))
    widgets.protocol(protocol, f"{shown:,}{of} posterior means", how, pixels=view.pixels)
    st.caption(
        "A click chooses an image. *Lasso Select* and *Box Select* above the map draw around "
        "points, to see all their images; *Pan* leads back to clicks. "
        + (embedding.READING if method else "")
    )


def _csv(view: View, around: Cloud, scale: Scale | None) -> str:
    columns: dict[str, Any] = {
        "image": around.index,
        "class": [view.data_info.class_name(label) for label in around.labels],
        "x": around.points[:, 0],
        "y": around.points[:, 1],
    }
    columns |= {f"mean z{i + 1}": around.means[:, i] for i in range(view.d)}
    if scale is not None:
        columns[scale.title] = scale.values
    return style.csv_text(columns)


def _place(view: View, around: Cloud, index: int, method: str) -> np.ndarray | None:
    """Position of an image on the map, whether or not the map shows the image.

    None for an image that is not in an embedding: a new point has no place there.
    """
    here = np.flatnonzero(around.index == index)
    if len(here):
        return around.points[here[0]]
    return None if method else around.plane.project(data.point(view, index).mean)


def _selected() -> dict[str, Any]:
    """The selection on the map that the browser sent last."""
    return (st.session_state.get(MAP) or {}).get("selection") or {}


def _clicked() -> int | None:
    """Index of the image whose point is selected in the browser; None if none is, or many."""
    points = _selected().get("points") or []
    found = points[0].get("customdata") if len(points) == 1 else None
    found = found[0] if isinstance(found, list) else found
    return None if found is None else int(found)


def _take_selection(view: View, method: str) -> None:
    """Callback: open the region that was drawn, or choose the image that was clicked."""
    opened = region.take(view, method, _selected())
    clicked = _clicked()
    if opened or clicked is None:  # the second of two quick clicks clears the selection
        selection.keep()
    else:
        selection.choose(clicked)


def _drawn_as_chosen(what: tuple[Any, ...], index: int) -> int:
    """Index of the point that the figure marks as chosen.

    It stays the same while the user only clicks: a changed figure is drawn from scratch and loses
    its zoom and its selection.
    """
    before, drawn = st.session_state.get("latent-drawn", (None, index))
    if before != what or _clicked() != index:
        drawn = index
    st.session_state["latent-drawn"] = (what, drawn)
    return drawn

"""The Map tab: posterior means of the data, and a close look at the chosen image."""

import base64
import html
from typing import Any

import numpy as np
import streamlit as st

from app.figures import latent_map as figures
from app.figures import style
from app.parts import charts, widgets
from app.parts.glossary import see
from app.services import latent
from app.services.latent import Cloud, View, prior_on_map
from app.shell import navigation
from app.views.latent import code, data, selection
from app.views.latent.data import Point
from vae_core.settings.protocol import Protocol
from vae_core.wording.numbers import estimate

COLOURS = ("class", "KL", "log p(x)")
QUANTITIES = {q.label: q for q in style.QUANTITIES}
_MAP = "latent-map"
_THUMBNAIL = 40  # pixels


def show(view: View, index: int) -> None:
    """Show the map beside the chosen image. A click does not redraw the map."""
    plot, detail = st.columns([13, 11], gap="medium")
    with plot:
        show_map(view, index)
    with detail:
        show_point(view, data.point(view, index))
    widgets.code(code.lines("Map", view, index))


def show_map(view: View, index: int) -> None:
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
    scores = latent.held_out(view)
    if colour == "log p(x)" and scores is None:
        st.caption(
            "log p(x) is known only for test images of a finished run. The colours show the class."
        )
        colour = "class"
    around = latent.cloud(view, scored=colour == "log p(x)")
    scale = None
    if colour == "KL":
        scale = figures.Scale("KL (nats)", data.kl_of_cloud(view))
    elif scores is not None and colour == "log p(x)":
        scale = figures.Scale("log p(x) (nats)", scores.log_px.numpy())
    figure = figures.map_figure(
        around.points,
        around.index,
        around.labels,
        view.classes,
        view.d,
        around.plane.explained.tolist(),
        prior_on_map(around.plane, view.choice),
        scale=scale,
        chosen=_place(view, around, _drawn_as_chosen((view.identity(), colour), index)),
    )
    charts.chart(
        figure,
        _MAP,
        f"Scatter plot: posterior means of {len(around.index):,} images, coloured by {colour}. "
        "The number input chooses an image, like a click.",
        lambda: _csv(view, around, scale),
        on_select=_take_click,
    )
    _protocol(view, around, scale is not None and colour == "log p(x)")


def _protocol(view: View, around: Cloud, scored: bool) -> None:
    shown = len(around.index)
    of = f" of {view.count:,}" if shown < view.count else ""
    scores = latent.held_out(view) if scored else None
    protocol = Protocol(
        view.data_info.name,
        view.split,
        importance_samples=None if scores is None else scores.protocol["importance_samples"],
        seed=latent.SEED,
    )
    means = f"{shown:,}{of} posterior means"
    widgets.protocol(protocol, means, "dotted: 1, 2, 3 σ of the prior", pixels=view.pixels)


def _csv(view: View, around: Cloud, scale: figures.Scale | None) -> str:
    columns: dict[str, Any] = {
        "image": around.index,
        "class": [view.classes[label] for label in around.labels],
        "x": around.points[:, 0],
        "y": around.points[:, 1],
    }
    columns |= {f"mean z{i + 1}": around.means[:, i] for i in range(view.d)}
    if scale is not None:
        columns[scale.title] = scale.values
    return style.csv_text(columns)


def _place(view: View, around: Cloud, index: int) -> np.ndarray:
    """Position of an image on the map, whether or not the map shows the image."""
    here = np.flatnonzero(around.index == index)
    if len(here):
        return around.points[here[0]]
    return around.plane.project(data.point(view, index).mean)


def _clicked() -> int | None:
    """Index of the image whose point is selected in the browser; None if none is."""
    state = st.session_state.get(_MAP) or {}
    points = (state.get("selection") or {}).get("points") or []
    found = points[0].get("customdata") if points else None
    found = found[0] if isinstance(found, list) else found
    return None if found is None else int(found)


def _take_click() -> None:
    clicked = _clicked()
    if clicked is None:  # the second of two quick clicks clears the selection
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


# ---- the chosen image


def show_point(view: View, point: Point) -> None:
    with st.container(key="latent-point", gap="small"):
        with st.container(key="latent-images", horizontal=True, gap="small"):
            name = view.classes[point.label]
            charts.image(point.original, "image", 84, alt=f"Image {point.index}, class {name}")
            if view.binarisation != "none":
                charts.image(point.seen, "model input", 84, alt="The image, black and white")
            charts.image(point.reconstruction, "decoded", 84, alt="E[x|z] at the posterior mean")
        st.html(_table(view, point))
    show_posterior(view, point)
    show_neighbours(view, point)


def _table(view: View, point: Point) -> str:
    rows = [f"<tr><td>class</td><td>{html.escape(view.classes[point.label])}</td></tr>"]
    for name, (mean, se) in point.figures.items():
        dot = f'<i style="background:{QUANTITIES[name].colour}"></i>'
        rows.append(f"<tr><td>{dot}{name}</td><td>{estimate(mean, se)}</td></tr>")
    about = f"L = K = {latent.DRAWS} draws of z, seed {latent.SEED}"
    return f'<table class="latent-figures">{"".join(rows)}</table><small>{about}</small>'


def show_posterior(view: View, point: Point) -> None:
    around = latent.cloud(view)
    mean = around.plane.project(point.mean)
    if view.d == 1:
        figure = figures.density_figure(
            point.draws[:, 0], mean[0], around.points[:, 0], title="Posterior q(z|x)"
        )
        what = "Histogram of draws of z."
    else:
        figure = figures.posterior_figure(
            point.draws,
            point.contours,
            mean,
            around.points,
            around.labels,
            titles=figures.axis_titles(view.d, around.plane.explained.tolist()),
            title="Posterior q(z|x), enlarged",
        )
        what = "Draws of z and contours at 1, 2 and 3 σ, among the means of other images."
    charts.chart(figure, "latent-posterior", f"The posterior of image {point.index}. {what}")


def show_neighbours(view: View, point: Point) -> None:
    around = latent.cloud(view)
    near = {int(around.index[i]): int(around.labels[i]) for i in point.neighbours}
    pictures = {i: _thumbnail(view, i, label) for i, label in near.items()}
    st.session_state["latent-neighbour"] = None
    st.segmented_control(
        "Nearest in z",
        list(near),
        format_func=pictures.__getitem__,
        key="latent-neighbour",
        on_change=_take_neighbour,
        help="The images with the nearest posterior means, nearest first. Click one to choose it.",
    )
    if view.split == "test":
        navigation.link(
            "start",
            "Send this image through the VAE",
            model=view.choice.key,
            image=str(point.index),
        )


def _thumbnail(view: View, index: int, label: int) -> str:
    pixels = latent.original(view, index)
    scale = max(1, _THUMBNAIL // pixels.shape[1])  # the browser does not enlarge it
    picture = base64.b64encode(charts.png(pixels, scale)).decode()
    return f"![class {view.classes[label]}](data:image/png;base64,{picture})"


def _take_neighbour() -> None:
    chosen = st.session_state["latent-neighbour"]
    if chosen is not None:
        selection.choose(chosen)

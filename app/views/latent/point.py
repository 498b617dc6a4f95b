"""The chosen image on the Map tab: its pictures, its figures, its posterior, its neighbours."""

import base64
import html

import streamlit as st

from app.figures import latent_map as figures
from app.figures import style
from app.parts import charts
from app.services import latent
from app.services.latent import View
from app.shell import errors, navigation
from app.views.latent import selection
from app.views.latent.data import Point
from vae_core.wording.numbers import estimate

_QUANTITIES = {q.label: q for q in style.QUANTITIES}
_THUMBNAIL = 40  # pixels


def show_point(view: View, point: Point) -> None:
    with st.container(key="latent-point", gap="small"):
        with st.container(key="latent-images", horizontal=True, gap="small"):
            name = view.data_info.class_name(point.label)
            charts.image(point.original, "image", 84, alt=f"Image {point.index}, class {name}")
            if view.binarisation != "none":
                charts.image(point.seen, "model input", 84, alt="The image, black and white")
            charts.image(point.reconstruction, "decoded", 84, alt="E[x|z] at the posterior mean")
        st.html(_table(view, point))
    show_posterior(view, point)
    show_neighbours(view, point)


def _table(view: View, point: Point) -> str:
    rows = [
        f"<tr><td>class</td><td>{html.escape(view.data_info.class_name(point.label))}</td></tr>"
    ]
    for name, (mean, se) in point.figures.items():
        dot = f'<i style="background:{_QUANTITIES[name].colour}"></i>'
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
    name = errors.plain(view.data_info.class_name(label))
    return f"![class {name}](data:image/png;base64,{picture})"


def _take_neighbour() -> None:
    chosen = st.session_state["latent-neighbour"]
    if chosen is not None:
        selection.choose(chosen)

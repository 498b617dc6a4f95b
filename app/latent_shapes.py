"""The tabs that show the latent space as a whole: the manifold, and the prior met or missed."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app import latent_code, latent_data, widgets
from app.figures import latent_sheets as sheets
from app.figures.latent import axis_titles
from app.latent_data import View
from app.latent_ways import MAX_IN_ADDRESS, dead_names, go_to
from vae_core import latent
from vae_core.latent import Floats

SIZES = (10, 15, 20, 25, 30)
MAX_HISTOGRAMS = 9
_LINES = 4  # in which the one dimension of d = 1 is laid out
_SHEET = "latent-manifold"
_GO = "Click an image to go on from there under Decode."


@st.fragment
def manifold(view: View, index: int) -> None:
    """What the decoder draws all over the prior, or all over the plane of the map."""
    plot, about = st.columns([10, 3], gap="medium")
    with about:
        size = st.select_slider(
            "Images a side",
            SIZES,
            value=20,
            key="side",
            bind="query-params",
            persist_state="session",
            help="How finely the latent space is sampled; more images, each of them smaller.",
        )
        st.caption(_what_is_shown(view))
    grid = latent.quantile_grid(size)
    if view.d == 1:
        grid = latent.quantile_grid(size * _LINES)[0].reshape(_LINES, size, 2)
    z = latent_data.cloud(view).plane.lift(grid)
    images = latent_data.picture(latent.decode(view.model, z))
    with plot:
        widgets.chart(
            _sheet(view, images, grid),
            _SHEET,
            f"A sheet of {images.shape[0]} by {images.shape[1]} decoded images, from one end of "
            "the prior to the other.",
            lambda: sheets.sheet_csv(images),
            on_select=lambda: _go_to_clicked(view, index, z.reshape(-1, view.d)),
        )
    if st.session_state.get("tab") == "Decode":
        st.rerun()  # it was clicked
    widgets.code(latent_code.lines("Manifold", view))


def _sheet(view: View, images: np.ndarray, grid: Floats) -> go.Figure:
    x_title, y_title = axis_titles(view.d, latent_data.cloud(view).plane.explained.tolist())
    places = grid.reshape(-1, 2)[:, : min(view.d, 2)]
    hover = [", ".join(f"{v:.2f}" for v in place).replace("-", "−") for place in places]
    flat = view.d == 1
    return sheets.sheet_figure(
        images,
        [""] * grid.shape[1] if flat else tick_labels(grid[0, :, 0]),
        [f"from {v:.2f}".replace("-", "−") for v in grid[:, 0, 0]]
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
    """About seven of these values, for the ticks."""
    every = max(1, round(len(values) / 7))
    return [f"{v:.2f}".replace("-", "−") if i % every == 0 else "" for i, v in enumerate(values)]


def _what_is_shown(view: View) -> str:
    spacing = "spaced so that each image stands for an equal share of the prior (its quantiles)"
    if view.d <= 2:
        return f"E[x|z] at latents {spacing}; Kingma & Welling 2014, appendix A. {_GO}"
    return (
        f"E[x|z] at latents in the plane of the first two principal components of the posterior "
        f"means, {spacing}. The other {view.d - 2} directions stay at the mean: a section through "
        f"{view.d} dimensions, not all of them. {_GO}"
    )


def prior(view: View, _index: int) -> None:
    """What each dimension carries, and whether the data fill the prior."""
    dims = latent_data.cloud(view).dimensions
    draws = latent_data.aggregate(view)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        widgets.chart(
            sheets.kl_figure(dims.kl, dims.dead, height=340),
            "latent-kl",
            f"Bars: KL of {view.d} latent dimensions, largest first; "
            f"{int(dims.dead.sum())} of them are dead.",
        )
        st.markdown(_what_is_carried(view))
        st.caption(
            "KL(q(zᵢ|x) ‖ N(0, 1)), averaged over images; for flows, that of Gaussians with the "
            "same moments. A dimension is dead if the variance of E[zᵢ|x] over images is at most "
            "0.01 (Burda et al. 2016): the decoder has learnt to do without it."
        )
    with right:
        shown = dims.order[:MAX_HISTOGRAMS].tolist()
        widgets.chart(
            sheets.aggregate_figure(draws, shown),
            "latent-aggregate",
            f"Histograms of {len(draws):,} draws of z in {len(shown)} dimensions, with the density "
            "of the prior.",
            {f"z{i + 1}": draws[:, i] for i in range(view.d)},
        )
        st.caption(
            "Draws z ~ q(z|x), as many for each image: together the aggregate posterior, with mean "
            "± standard deviation. Where it differs from the prior, 0 ± 1, samples from the prior "
            "decode to what no image is like."
        )
    widgets.protocol(
        view.data_info.title,
        view.split,
        view.pixels,
        seed=latent_data.SEED,
        images=len(latent_data.cloud(view).index),
        note=f"{len(draws):,} draws of z",
    )
    widgets.code(latent_code.lines("Prior", view))


def _what_is_carried(view: View) -> str:
    dims = latent_data.cloud(view).dimensions
    kl = latent_data.kl_of_cloud(view)
    active = int((~dims.dead).sum())
    text = f"**{active} of {view.d} dimensions are active.**"
    if active and dims.dead.any():
        text += f" Dead: {dead_names(dims.dead)}."
    text += (
        f" KL(q(z|x) ‖ p(z)) is {widgets.number(kl.mean(), kl.std() / len(kl) ** 0.5)} on average; "
        f"the bars add up to {dims.kl.sum():.2f}."
    )
    if kl.mean() - dims.kl.sum() > 0.05 * kl.mean():
        text += " The rest is in how q(z|x) ties dimensions together."
    return text

"""The Interpolate tab: the path between two images in latent space."""

import numpy as np
import streamlit as st

from app.figures import latent_sheets as sheets
from app.figures.pictures import Picture, as_picture, tile
from app.parts import animation, charts, widgets
from app.parts.animation import LARGE, Film
from app.services.latent import View, prior_moments
from app.views.latent import code, data, selection
from app.views.latent.data import Point
from vae_core.analysis import latent
from vae_core.basics.arrays import Floats

_STEPS = 11
_FRAMES, _SECONDS = 49, 2.5  # of an animation, one way


@st.fragment
def interpolate(view: View, index: int) -> None:
    """Interpolate between two images: on a line, on an arc, and in pixels."""
    about, plots = st.columns([3, 10], gap="medium")
    with about:
        other = selection.pick_other(view, index)
        st.caption(
            "**Straight**: z on the line between the two posterior means.  \n**Spherical**: z on "
            "an arc around the origin, so its length stays typical for the prior.  \n**Pixels**: "
            "one reconstruction fades into the other, so both are visible at once."
            + ("  \nFor d = 1 there is no arc: both paths are the same." if view.d == 1 else "")
        )
    first, last = data.point(view, index), data.point(view, other)
    paths = _paths(first.mean, last.mean, _STEPS)
    images = _images(view, first, last, _STEPS)
    names = view.data_info.class_name(first.label), view.data_info.class_name(last.label)
    with plots:
        figure = sheets.sheet_figure(
            images,
            [f"image {index}", *[""] * (_STEPS - 2), f"image {other}"],
            [*paths, "pixels"],
            title=f"From {names[0]} to {names[1]}",
            height=310,
        )
        charts.chart(
            figure,
            "latent-interpolation",
            f"Three rows of {_STEPS} images from image {index}, class {names[0]}, to image {other},"
            f" class {names[1]}: decoded on a straight line, on an arc, and faded in pixels.",
            lambda: sheets.sheet_csv(images),
        )
        lengths = {name: np.linalg.norm(path, axis=1) for name, path in paths.items()}
        charts.chart(
            sheets.length_figure(lengths, prior_moments(view.choice)),
            "latent-lengths",
            "Distance of both paths from the origin. The straight path comes nearer to the origin.",
        )
        animation.button(
            lambda: _film(view, first, last),
            "latent-interpolation",
            "Saves the way from one image to the other and back: straight, spherical, and in "
            "pixels, side by side.",
            f"from-{index}-to-{other}",
        )
    widgets.code(code.lines("Interpolate", view, index, other))


def _paths(start: Floats, end: Floats, steps: int) -> dict[str, Floats]:
    return {
        "straight": latent.straight_path(start, end, steps),
        "spherical": latent.spherical_path(start, end, steps),
    }


def _images(view: View, first: Point, last: Point, steps: int) -> Picture:
    """Pictures on the straight path, on the arc, and faded in pixels, (3, steps, …)."""
    paths = _paths(first.mean, last.mean, steps)
    decoded = as_picture(latent.decode(view.model, np.stack([*paths.values()])))
    share = np.linspace(0, 1, steps).reshape(-1, *(1,) * first.reconstruction.ndim)
    pixels = (1 - share) * first.reconstruction + share * last.reconstruction
    return np.concatenate([decoded, pixels[None]]).astype(np.float32)


def _film(view: View, first: Point, last: Point) -> Film:
    images = _images(view, first, last, _FRAMES)
    frames = [tile(images[:, i], 3) for i in range(_FRAMES)]
    captions = [f"straight, spherical, pixels: {i / (_FRAMES - 1):.0%}" for i in range(_FRAMES)]
    return Film(frames, _SECONDS, captions, back=True, side=LARGE)

"""The tabs that go through the latent space: decode a point, from one image to another, by axis."""

import numpy as np
import streamlit as st
import torch

from app import latent_code, latent_data, latent_pick, widgets
from app.components import latent_walk
from app.figures import latent_sheets as sheets
from app.figures import style
from app.figures.latent import axis_titles, dimension_name
from app.latent_data import Point, View
from vae_core import latent
from vae_core.latent import Floats

MAX_SLIDERS = 8
MAX_ROWS = 10
_FEW_ROWS = 4
MAX_IN_ADDRESS = 64  # numbers of z that are put into the URL
_REACH = 3.5
_PAD_POINTS = 800
_STEPS = 11
_WALK = "latent-walk"


# ---- decode


@st.fragment
def decode(view: View, index: int) -> None:
    """z under the user's hand: whatever it is moved to is decoded at once."""
    point = latent_data.point(view, index)
    anchor = _anchor(view, index)
    z, number = _position(view, point, anchor)
    image = latent_data.picture(latent.decode(view.model, z))
    latent_walk.latent_walk(
        _WALK,
        anchor,
        number,
        z.tolist(),
        point.mean.tolist(),
        image,
        point.seen,
        _sliders(view),
        _readouts(view, index, z),
        _pad(view),
        max(_REACH, float(np.abs(point.mean).max())),
    )
    _name_the_dead(view)
    widgets.code(latent_code.lines("Decode", view, index))


def _anchor(view: View, index: int) -> str:
    """Names what a position belongs to: it is lost with another image or other weights."""
    return "/".join((*view.identity(), str(index)))


def go_to(view: View, index: int, z: Floats) -> None:
    """Have the Decode tab open at z, as in a callback."""
    st.session_state["tab"] = "Decode"
    st.session_state["latent-anchor"] = _anchor(view, index)
    _to_address(z, latent_data.point(view, index).mean)


def _position(view: View, point: Point, anchor: str) -> tuple[Floats, int]:
    """Where z stands: as last moved, else as in the URL, else at the chosen image."""
    z, settled, number = latent_walk.answer(_WALK, anchor, view.d)
    if st.session_state.get("latent-anchor", anchor) != anchor:
        st.query_params.pop("z", None)  # it belonged to another image or model
    st.session_state["latent-anchor"] = anchor
    if z is None:
        return _from_address(view.d, point.mean), number
    if settled and view.d <= MAX_IN_ADDRESS:
        _to_address(np.array(z), point.mean)
    return np.array(z), number


def _from_address(d: int, start: Floats) -> Floats:
    try:
        z = np.array([float(part) for part in st.query_params.get("z", "").split("_")])
    except ValueError:
        return start
    return z.clip(-10, 10) if z.shape == (d,) and np.isfinite(z).all() else start


def _to_address(z: Floats, start: Floats) -> None:
    if np.allclose(z, start, atol=1e-6):
        st.query_params.pop("z", None)
    else:
        st.query_params["z"] = "_".join(f"{value:.3g}" for value in z)


def _sliders(view: View) -> list[latent_walk.Slider]:
    dims = latent_data.cloud(view).dimensions
    return [
        latent_walk.Slider(
            int(i),
            dimension_name(i),
            "dead: the decoder ignores it" if dims.dead[i] else f"KL {dims.kl[i]:.2f} nats",
            bool(dims.dead[i]),
        )
        for i in dims.order[:MAX_SLIDERS]
    ]


def _readouts(view: View, index: int, z: Floats) -> list[tuple[str, str, str]]:
    model = view.model
    at = torch.as_tensor(z, dtype=torch.float32, device=model.device).view(1, 1, -1)
    x = view.images()[0][index : index + 1].to(model.device)
    with torch.no_grad():
        likelihood = float(model.log_likelihood(x, at))
        prior = float(model.log_prior(at))
    length = f"{np.linalg.norm(z):.2f} (prior: about {np.sqrt(view.d):.1f})"
    return [
        ("log p(x|z)", style.number(likelihood), style.LOG_LIKELIHOOD.colour),
        ("log p(z)", style.number(prior), style.LOG_PRIOR.colour),
        ("‖z‖", length, style.NEUTRAL),
    ]


def _pad(view: View) -> latent_walk.Pad | None:
    if view.d == 1:
        return None
    around = latent_data.cloud(view)
    some = slice(None, None, max(1, len(around.index) // _PAD_POINTS))
    plane = around.plane
    return latent_walk.Pad(
        around.points[some],
        around.labels[some],
        plane.origin,
        plane.axes,
        plane.project(np.zeros(view.d)),
        axis_titles(view.d, plane.explained.tolist()),
    )


def _name_the_dead(view: View) -> None:
    dims = latent_data.cloud(view).dimensions
    hidden = view.d - min(view.d, MAX_SLIDERS)
    parts = ["log p(x|z) is that of the chosen image, as the model sees it, at this z."]
    if hidden:
        parts.append(f"The {hidden} dimensions with less KL stay where the chosen image has them.")
    if dims.dead.any():
        parts.append(f"Dead, since E[z|x] hardly moves with the image: {dead_names(dims.dead)}.")
    st.caption(" ".join(parts))


def dead_names(dead: np.ndarray) -> str:
    """The dead dimensions (d,) by name, or how many there are where the names would fill a page."""
    names = [dimension_name(int(i)) for i in np.flatnonzero(dead)]
    return ", ".join(names) if len(names) <= 20 else f"{len(names)} of {len(dead)}"


# ---- from one image to another


@st.fragment
def interpolate(view: View, index: int) -> None:
    """Between the posterior means of two images: straight, along an arc, and in the pixels."""
    about, plots = st.columns([3, 10], gap="medium")
    with about:
        other = latent_pick.pick_other(view, index)
        st.caption(
            "**Straight**: z on the line between the two posterior means.  \n**Spherical**: on the "
            "arc around the origin, which keeps to lengths that the prior has.  \n**Pixels**: the "
            "two reconstructions faded into each other, which lays one over the other."
            + ("  \nFor d = 1 there is no arc: both ways are the same." if view.d == 1 else "")
        )
    first, last = latent_data.point(view, index), latent_data.point(view, other)
    paths = {
        "straight": latent.straight_path(first.mean, last.mean, _STEPS),
        "spherical": latent.spherical_path(first.mean, last.mean, _STEPS),
    }
    decoded = latent_data.picture(latent.decode(view.model, np.stack([*paths.values()])))
    share = np.linspace(0, 1, _STEPS)[:, None, None]
    pixels = (1 - share) * first.reconstruction + share * last.reconstruction
    images = np.concatenate([decoded, pixels[None]])
    names = view.classes[first.label], view.classes[last.label]
    with plots:
        figure = sheets.sheet_figure(
            images,
            [f"image {index}", *[""] * (_STEPS - 2), f"image {other}"],
            [*paths, "pixels"],
            title=f"From {names[0]} to {names[1]}",
            height=310,
        )
        widgets.chart(
            figure,
            "latent-interpolation",
            f"Three rows of {_STEPS} images from image {index}, class {names[0]}, to image {other},"
            f" class {names[1]}: decoded on a straight line, on an arc, and faded in the pixels.",
            lambda: sheets.sheet_csv(images),
        )
        lengths = {name: np.linalg.norm(path, axis=1) for name, path in paths.items()}
        widgets.chart(
            sheets.length_figure(lengths, view.d),
            "latent-lengths",
            "How far from the origin both paths run; the straight one comes nearer to it.",
        )
    widgets.code(latent_code.lines("Interpolate", view, index, other))


# ---- one dimension at a time


def traverse(view: View, index: int) -> None:
    """The dimensions with the most KL, one a row, each moved while the others stay."""
    point = latent_data.point(view, index)
    dims = latent_data.cloud(view).dimensions
    rows = dims.order[:MAX_ROWS].tolist()
    values = np.linspace(-3, 3, _STEPS + 2)
    images = latent_data.picture(
        latent.decode(view.model, latent.traversals(point.mean, rows, values))
    )
    figure = sheets.sheet_figure(
        images,
        [f"{value:g}".replace("-", "−") for value in values],
        [
            f"{dimension_name(i)} {'dead' if dims.dead[i] else f'{dims.kl[i]:.2f} nats'}"
            for i in rows
        ],
        x_title="value of the dimension, in σ of the prior",
        height=80 + min(60 * len(rows), 530),
    )
    with st.container(key="latent-few-rows" if len(rows) <= _FEW_ROWS else "latent-rows"):
        widgets.chart(
            figure,
            "latent-traversals",
            f"{len(rows)} rows of decoded images; in each, one latent dimension goes from −3 to 3.",
            lambda: sheets.sheet_csv(images),
        )
    st.caption(
        f"Every row starts from the posterior mean of image {point.index} and moves one dimension. "
        "Rows are in order of KL, averaged over the images shown on the map; a dead dimension "
        "changes nothing."
    )
    widgets.code(latent_code.lines("Traverse", view, point.index))

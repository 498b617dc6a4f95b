"""The Decode tab: move a point z and see its decoded image."""

import numpy as np
import streamlit as st
import torch

from app.figures import style
from app.figures.latent_map import axis_titles, dimension_name
from app.figures.pictures import as_picture
from app.parts import widgets
from app.parts.components import latent_walk
from app.services import latent as latent_service
from app.services.latent import View
from app.views.latent import code, data, directions
from app.views.latent.data import Point
from vae_core.analysis import latent
from vae_core.basics.arrays import Floats
from vae_core.wording.numbers import number

MAX_SLIDERS = 8
MAX_IN_ADDRESS = 64  # numbers of z that are put into the URL
_REACH = 3.5
_PAD_POINTS = 800
_WALK = "latent-walk"


# ---- decode


@st.fragment
def decode(view: View, index: int) -> None:
    """Let the user move z, and show the decoded image at once."""
    point = data.point(view, index)
    anchor = _anchor(view, index)
    toward = directions.pick(view)
    z, number = _position(view, point, anchor)
    image = as_picture(latent.decode(view.model, z))
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
        toward,
    )
    _caption(view)
    widgets.code(code.lines("Decode", view, index, more=directions.code(view)))


def _anchor(view: View, index: int) -> str:
    """Key of the image and weights that a position of z belongs to.

    The position is dropped when the key changes.
    """
    return "/".join((*view.identity(), str(index)))


def go_to(view: View, index: int, z: Floats) -> None:
    """Open the Decode tab at z. Call it in a callback."""
    st.session_state["tab"] = "Decode"
    st.session_state["latent-anchor"] = _anchor(view, index)
    _to_address(z, data.point(view, index).mean)


def _position(view: View, point: Point, anchor: str) -> tuple[Floats, int]:
    """Position of z: where it was last moved, else from the URL, else at the chosen image."""
    z, settled, number = latent_walk.answer(_WALK, anchor, view.d)
    if st.session_state.get("latent-anchor", anchor) != anchor:
        st.query_params.pop("z", None)  # the z in the URL belonged to another image or model
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
    dims = latent_service.cloud(view).dimensions
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
    usual = latent_service.prior_moments(view.choice).root_mean_square
    length = f"{np.linalg.norm(z):.2f} (prior: about {usual:.1f})"
    return [
        ("log p(x|z)", number(likelihood), style.LOG_LIKELIHOOD.colour),
        ("log p(z)", number(prior), style.LOG_PRIOR.colour),
        ("‖z‖", length, style.NEUTRAL),
    ]


def _pad(view: View) -> latent_walk.Pad | None:
    if view.d == 1:
        return None
    around = latent_service.cloud(view)
    some = slice(None, None, max(1, len(around.index) // _PAD_POINTS))
    plane = around.plane
    return latent_walk.Pad(
        around.points[some],
        around.labels[some],
        view.classes,
        plane.origin,
        plane.axes,
        plane.project(np.zeros(view.d)),
        axis_titles(view.d, plane.explained.tolist()),
    )


def _caption(view: View) -> None:
    dims = latent_service.cloud(view).dimensions
    hidden = view.d - min(view.d, MAX_SLIDERS)
    parts = ["log p(x|z) is for the chosen image, as the model sees it, at this z."]
    if hidden:
        parts.append(
            f"The {hidden} dimensions with less KL keep their values from the chosen image."
        )
    if dims.dead.any():
        parts.append(f"Dead, because E[z|x] hardly depends on the image: {dead_names(dims.dead)}.")
    st.caption(" ".join(parts))


def dead_names(dead: np.ndarray) -> str:
    """Names of the dead dimensions (d,), or only their number if the names would be too long."""
    names = [dimension_name(int(i)) for i in np.flatnonzero(dead)]
    return ", ".join(names) if len(names) <= 20 else f"{len(names)} of {len(dead)}"

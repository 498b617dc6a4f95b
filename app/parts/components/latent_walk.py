"""Sliders and a map that move z, with the decoded image, updated while the mouse is down.

Streamlit's own slider sends its value only when the mouse is released.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from streamlit.components.v2 import component

from app.figures import style
from app.figures.pictures import as_bytes
from app.parts.components.versions import numbered

_HERE = Path(__file__).parent
_INT16 = 32767
_MOST_NAMES = 20  # classes in the legend

_component = component(
    "latent_walk",
    css=(_HERE / "latent_walk.css").read_text("utf-8"),
    js=(_HERE / "latent_walk.js").read_text("utf-8"),
)


@dataclass(frozen=True)
class Slider:
    """A slider for a latent dimension: its index, its name, a short note, whether it is dead."""

    dimension: int
    name: str
    note: str
    dead: bool


@dataclass(frozen=True)
class DirectionSlider:
    """A slider that moves z along a direction.

    Attributes:
        name, note: its name and a short note.
        step: what one unit of the slider adds to z, (d,). The slider is at 0 at ``start``.
        reach: the slider goes from −reach to reach.
    """

    name: str
    note: str
    step: Sequence[float]
    reach: float


@dataclass(frozen=True)
class Pad:
    """A map on which z can be moved.

    Attributes:
        points: positions of images on the map, (N, 2).
        labels: classes of these images, (N,); −1 has none.
        names: names of the classes.
        origin, axes: the map's plane in the latent space, (d,) and (2, d).
        centre: position of z = 0 on the map, (2,).
        titles: titles of the two axes.
    """

    points: np.ndarray
    labels: np.ndarray
    names: Sequence[str]
    origin: np.ndarray
    axes: np.ndarray
    centre: np.ndarray
    titles: tuple[str, str]


def answer(key: str, anchor: str, d: int) -> tuple[list[float] | None, bool, int]:
    """Return what the browser last sent for this anchor. Call it before :func:`latent_walk`.

    Returns:
        z (d,), or None if nothing valid was sent; whether the mouse was released; the number of
        the message.
    """
    sent = (st.session_state.get(key) or {}).get("walk")
    if not isinstance(sent, Mapping) or sent.get("anchor") != anchor:
        return None, False, 0
    z = sent.get("z")
    if not isinstance(z, Sequence) or len(z) != d:
        return None, False, 0
    values = np.array(z, dtype=float)
    if not np.isfinite(values).all():
        return None, False, 0
    return values.tolist(), bool(sent.get("settled")), int(sent.get("number", 0))


def latent_walk(
    key: str,
    anchor: str,
    number: int,
    z: Sequence[float],
    start: Sequence[float],
    image: np.ndarray,
    target: np.ndarray,
    sliders: Sequence[Slider],
    readouts: Sequence[tuple[str, str, str]],
    pad: Pad | None = None,
    reach: float = 3.5,
    directions: Sequence[DirectionSlider] = (),
) -> None:
    """Draw the controls and the image.

    Args:
        anchor: identifies the model and the image; when it changes, the controls move to ``z``.
        number: number of the browser's message that ``image`` answers.
        z: position of the controls, (d,).
        start: position that "Back to the image" returns to, (d,).
        image: E[x|z], (H, W) or (H, W, 3) in [0, 1].
        target: the chosen image, in the same form.
        readouts: label, value and colour of the numbers under the image.
        reach: the sliders go from −reach to reach.
        directions: sliders above those of the dimensions.
    """
    data = {
        "anchor": anchor,
        "number": number,
        "z": list(z),
        "start": list(start),
        "image": _text(image),
        "target": _text(target),
        "shape": image.shape,
        "inks": style.INK,
        "sliders": [vars(slider) for slider in sliders],
        "directions": [vars(slider) for slider in directions],
        "readouts": readouts,
        "pad": None if pad is None else _pad(pad),
        "accent": style.HIGHLIGHT,
        "neutral": style.NEUTRAL,
        "reach": reach,
    }
    _component(key=key, data=numbered(key, data), on_walk_change=_nothing)


def _nothing() -> None:
    """Do nothing: Streamlit keeps a component's state only if a callback is given for it."""


def _text(image: np.ndarray) -> str:
    return base64.b64encode(as_bytes(image).tobytes()).decode()


def _pad(pad: Pad) -> dict[str, Any]:
    reach = max(3.3, 1.05 * float(np.abs(pad.points - pad.centre).max(initial=0)))
    points = np.round((pad.points - pad.centre) / reach * _INT16).astype("<i2")
    present = sorted(set(pad.labels.tolist()))
    names = {label: pad.names[label] if label >= 0 else "no class" for label in present}
    return {
        "points": base64.b64encode(points.tobytes()).decode(),
        "classes": base64.b64encode(
            np.searchsorted(present, pad.labels).astype("<u2").tobytes()
        ).decode(),
        "colours": [style.class_colour(label) for label in present],
        "names": [names[label] for label in present[:_MOST_NAMES]],
        "more": max(0, len(present) - _MOST_NAMES),
        "origin": pad.origin.tolist(),
        "axes": pad.axes.tolist(),
        "centre": pad.centre.tolist(),
        "reach": reach,
        "titles": pad.titles,
    }

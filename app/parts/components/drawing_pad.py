"""A pad to draw on with the mouse, a pen or a finger; it sends every finished stroke."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

from app.figures import style
from app.parts.components.strokes import Stroke, strokes_of
from app.parts.components.versions import numbered

_HERE = Path(__file__).parent

_component = component(
    "drawing_pad",
    css=(_HERE / "drawing_pad.css").read_text("utf-8"),
    js=(_HERE / "drawing_pad.js").read_text("utf-8"),
)


def sent_strokes(key: str) -> list[Stroke] | None:
    """Return the drawing that the browser last sent; None if it is not valid.

    Call it before :func:`drawing_pad`.
    """
    return strokes_of((st.session_state.get(key) or {}).get("strokes"))


def drawing_pad(key: str, strokes: Sequence[Stroke], width: float) -> None:
    """Draw the pad and its buttons.

    Args:
        strokes: the drawing at first; afterwards the browser keeps the drawing.
        width: width of the next stroke, as a share of the pad's side.
    """
    shown = [{"width": stroke.width, "points": stroke.points} for stroke in strokes]
    data = {"strokes": shown, "width": width, "inks": style.INK}
    _component(key=key, data=numbered(key, data), on_strokes_change=_nothing)


def _nothing() -> None:
    """Do nothing: Streamlit keeps a component's state only if a callback is given for it."""

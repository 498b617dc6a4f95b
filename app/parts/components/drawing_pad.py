"""A pad to draw on with the mouse, a pen or a finger; it tells of every stroke once it is done."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

from app.figures import style
from app.parts.components.strokes import Stroke, strokes_of

_HERE = Path(__file__).parent

_component = component(
    "drawing_pad",
    css=(_HERE / "drawing_pad.css").read_text("utf-8"),
    js=(_HERE / "drawing_pad.js").read_text("utf-8"),
)


def sent_strokes(key: str) -> list[Stroke] | None:
    """What the browser last sent, None if nothing usable. To be asked before the pad is drawn."""
    return strokes_of((st.session_state.get(key) or {}).get("strokes"))


def drawing_pad(key: str, strokes: Sequence[Stroke], width: float) -> None:
    """Draw the pad and its buttons.

    Args:
        strokes: what is on the pad when it is first shown; from then on the browser knows best.
        width: of the next stroke, as a share of the pad's side.
    """
    shown = [{"width": stroke.width, "points": stroke.points} for stroke in strokes]
    data = {"strokes": shown, "width": width, "inks": style.INK}
    _component(key=key, data=data, on_strokes_change=_nothing)


def _nothing() -> None:
    """A state of a component exists only where there is a callback for it."""

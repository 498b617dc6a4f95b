"""A button that reads an image from the clipboard, as Ctrl+V does."""

import base64
import binascii
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

_HERE = Path(__file__).parent

_component = component(
    "paste_box",
    css=(_HERE / "paste_box.css").read_text("utf-8"),
    js=(_HERE / "paste_box.js").read_text("utf-8"),
)


def pasted(key: str) -> list[bytes]:
    """Return the image files that were just pasted. Call it in ``on_change`` only."""
    sent = (st.session_state.get(key) or {}).get("images")
    if not isinstance(sent, list):
        return []
    try:
        return [base64.b64decode(each, validate=True) for each in sent]
    except (TypeError, ValueError, binascii.Error):
        return []


def paste_box(key: str, megabytes: int, on_change: Any) -> None:
    """Draw the button.

    Args:
        megabytes: largest size of an image.
        on_change: called when an image was pasted; see :func:`pasted`.
    """
    _component(key=key, data={"megabytes": megabytes}, on_images_change=on_change)

"""A button that takes an image from the clipboard, and Ctrl+V, which does so too."""

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
    """The image files that were just pasted. To be called from ``on_change`` alone."""
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
        megabytes: how large an image may be.
        on_change: called when something was pasted; see :func:`pasted`.
    """
    _component(key=key, data={"megabytes": megabytes}, on_images_change=on_change)

"""Keys that work on every page, the sheet that lists them, and words for a lost server."""

from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

_HERE = Path(__file__).parent

KEYS = (
    (
        "Page Down, Page Up",
        "the next step of the talk and the step before, in presentation mode; pages without a talk",
    ),
    ("a", "add this screen to the talk"),
    ("t", "show the talk: reorder it, write notes, save, open, present"),
    ("n", "show or hide the note of the step"),
    ("q", "show a QR code of this screen"),
    ("s", "save a report of this page as a file, if the sidebar is open"),
    ("]  [", "the next tab and the tab before"),
    ("e", "another ε, on the page Start"),
    (
        "p",
        "play and pause: a new ε on Start, the film on Train, the flow steps on Posterior",
    ),
    ("Esc", "close this sheet, or leave the presentation mode"),
    ("?", "show this sheet"),
)
"""Keys, and what each of them does."""
GONE = (
    "ELBO Room does not answer. Its program has ended, or the connection is lost. Start it again "
    "with the command that started it, for example python -m app. This page then connects by "
    "itself. Training runs go on without it."
)
_component = component("shell_keys", js=(_HERE / "keys.js").read_text("utf-8"))


def listen(presenting: bool) -> None:
    """Have the browser listen for the keys, in the present container.

    Args:
        presenting: whether the presentation mode is on, in which keys turn pages.
    """
    with st.container(key="shell-keys"):
        _component(key="keys", data={"presenting": presenting, "keys": KEYS, "gone": GONE})

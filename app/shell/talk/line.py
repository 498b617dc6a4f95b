"""The speaker's line of a talk: the step before, "3 / 10", the next step, and the note."""

from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

from app.shell.talk import state, talks

_HERE = Path(__file__).parent
_component = component(
    "talk_line",
    css=(_HERE / "line.css").read_text("utf-8"),
    js=(_HERE / "line.js").read_text("utf-8"),
    isolate_styles=False,  # app/shell/keys.js presses its buttons
)


def draw(url_path: str, *, presenting: bool) -> None:
    """Draw the line, if a talk is open. The browser turns its steps by itself.

    Args:
        url_path: path of the present page.
        presenting: whether the presentation mode is on; the steps keep it on.
    """
    talk = state.current()
    if not talk.steps:
        return
    at = state.at()
    data = {
        "steps": [[step.address, step.title, step.note] for step in talk.steps],
        "at": at,
        "page": url_path,
        "talk": talks.packed(talk),
        "presenting": presenting,
        "order": state.take_order(),
    }
    with st.container(key="talk-line"):
        _component(key="talk-line-component", data=data)

"""Actions of buttons that may no longer be possible when they are pressed."""

from collections.abc import Callable

import streamlit as st

from app.shell import errors
from vae_core.basics.errors import sentence_of


def attempt(action: Callable[[], object], note: str) -> None:
    """Run an action. If it is not possible any more, keep the reason for :func:`show_note`.

    Args:
        note: key of the reason in the session.
    """
    try:
        action()
    except Exception as error:
        if (reason := sentence_of(error)) is None:
            raise
        st.session_state[note] = f"This was not possible: {reason}"


def show_note(note: str) -> None:
    """Show what an action left to say, once."""
    if (said := st.session_state.pop(note, None)) is not None:
        st.toast(errors.plain(said), duration="long")

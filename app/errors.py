"""What a page says when something breaks: one calm sentence, never a traceback."""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import FragmentHandledException

_log = logging.getLogger("elbo_room")


def is_for_the_user(error: Exception) -> bool:
    """Whether the message of ``error`` was written to be read on a page.

    That is what the exception classes of ``vae_core`` are for (``ConfigError`` and its kind).
    """
    return type(error).__module__.partition(".")[0] == "vae_core"


def report(error: Exception) -> bool:
    """Show ``error`` on the page: its own sentence, or a reference to the traceback in the log.

    True, which tells Streamlit that nothing else need be shown.
    """
    if is_for_the_user(error):
        st.error(str(error))
        return True
    reference = secrets.token_hex(3)
    _log.error("Reference %s: an unexpected error on a page", reference, exc_info=error)
    st.error(
        "Something went wrong on this page. Your runs and settings are kept; try again or open "
        f"another page. Details are in the app's log (its terminal) under reference **{reference}**.",
        icon=":material/error:",
    )
    return True


@contextmanager
def guard() -> Iterator[None]:
    """Report what goes wrong inside, and end the page there."""
    try:
        yield
    except FragmentHandledException:  # reported already, where the fragment stands
        raise
    except Exception as error:
        report(error)
        st.stop()

"""What a page says when something breaks: one calm sentence, never a traceback."""

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.shell.streamlit_internals import FragmentHandledException
from vae_core.basics.errors import UserError, is_out_of_memory, sentence_of

_log = logging.getLogger("elbo_room")
_NOTE = "Reference on the page: "


def is_for_the_user(error: Exception) -> bool:
    """Whether the message of ``error`` was written to be read on a page."""
    return isinstance(error, UserError)


def plain(text: str) -> str:
    """Text that Streamlit's Markdown shows as it stands: a file may be called ``*me*.png``."""
    return re.sub(r"([\\`*_\[\]$~:<>#|])", r"\\\1", text)


def sentence(error: Exception, *, logged: bool = False) -> str:
    """Text that a page shows of ``error``: its own sentence, or a reference to the app's log.

    Args:
        error: what went wrong. Its traceback is logged once, however often the page is drawn.
        logged: the traceback is in the log already; only the reference is added.
    """
    if is_for_the_user(error) or is_out_of_memory(error):
        return plain(sentence_of(error) or "")
    return (
        "Something went wrong on this page. Your runs and settings are kept; try again or open "
        "another page. Details are in the app's log (its terminal), reference "
        f"**{_reference(error, logged)}**."
    )


def _reference(error: Exception, logged: bool) -> str:
    """Names the error in the log; kept with it as a note."""
    notes = getattr(error, "__notes__", [])
    known = next((note for note in notes if note.startswith(_NOTE)), None)
    if known is not None:
        return known.removeprefix(_NOTE)
    reference = secrets.token_hex(3)
    error.add_note(_NOTE + reference)
    _log.error(
        "Reference %s: %s on a page", reference, type(error).__name__,
        exc_info=None if logged else error,
    )  # fmt: skip
    return reference


def report(error: Exception, *, logged: bool = False) -> bool:
    """Show the :func:`sentence` of ``error`` on the page.

    Returns:
        True, which tells Streamlit that nothing else need be shown.
    """
    st.error(sentence(error, logged=logged))
    return True


def report_uncaught(error: Exception) -> bool:
    """:func:`report` for what Streamlit caught in a callback or a fragment, and logged itself."""
    return report(error, logged=True)


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

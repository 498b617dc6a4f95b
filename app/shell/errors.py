"""Errors on a page: one calm sentence, never a traceback."""

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.shell.streamlit_internals import FragmentHandledException
from vae_core.basics.errors import UserError, is_out_of_memory, sentence_of
from vae_core.basics.text import printable

_log = logging.getLogger("elbo_room")
_LONGEST = 2000
_JOINER = "\u2060"  # has no width, and forbids a line break
_NOTE = "Reference on the page: "


def is_for_the_user(error: Exception) -> bool:
    """Whether the message of ``error`` was written to be read on a page."""
    return isinstance(error, UserError)


def plain(text: str) -> str:
    """Escape Markdown in a text, for example in the name of a file called ``*me*.png``.

    The text stays on one line. Addresses in it do not become links: Streamlit makes links of them
    after it has undone the escapes, so an invisible character is put into each.
    """
    text = printable(re.sub(r"\s+", " ", text), _LONGEST)
    escaped = re.sub(r"([\\`*_\[\]$~:<>#|&!@])", r"\\\1", text)
    escaped = re.sub(r"^(\s*)([-+=]|\d+(?=[.)]))", rf"\1{_JOINER}\2", escaped)
    address = r"(?i)(https?\\:(?=//)|www(?=\.)|\\@(?=[-\w]+\.))"
    return re.sub(address, rf"\1{_JOINER}", escaped)


def sentence(error: Exception, *, logged: bool = False) -> str:
    """Describe an error on a page: by its own sentence, or by a reference to the app's log.

    Args:
        error: what went wrong. Its traceback is logged once, however often the page is drawn.
        logged: whether the traceback is in the log already; then only the reference is added.
    """
    if is_for_the_user(error) or is_out_of_memory(error):
        return plain(sentence_of(error) or "")
    return (
        "Something went wrong on this page. Your runs and settings are kept; try again or open "
        "another page. Details are in the app's log (its terminal), reference "
        f"**{_reference(error, logged)}**."
    )


def _reference(error: Exception, logged: bool) -> str:
    """Return the name of the error in the log, which is kept as a note of the error."""
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
        True, which tells Streamlit to show nothing else.
    """
    st.error(sentence(error, logged=logged))
    return True


def report_uncaught(error: Exception) -> bool:
    """Report an error that Streamlit caught in a callback or a fragment and logged itself."""
    return report(error, logged=True)


@contextmanager
def guard() -> Iterator[None]:
    """Report an error of the enclosed code and end the page there."""
    try:
        yield
    except FragmentHandledException:  # reported already, in the place of the fragment
        raise
    except Exception as error:
        report(error)
        st.stop()

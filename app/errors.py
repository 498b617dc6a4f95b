"""What a page says when something breaks: one calm sentence, never a traceback."""

import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from streamlit.errors import FragmentHandledException

_log = logging.getLogger("elbo_room")


def is_for_the_user(error: Exception) -> bool:
    """Whether the message of ``error`` was written to be read on a page.

    That is what the public exception classes of ``vae_core`` are for (``ConfigError`` and its kin).
    """
    kind = type(error)
    return kind.__module__.partition(".")[0] == "vae_core" and not kind.__name__.startswith("_")


def plain(text: str) -> str:
    """Text that Streamlit's Markdown shows as it stands: a file may be called ``*me*.png``."""
    return re.sub(r"([\\`*_\[\]$~:<>#|])", r"\\\1", text)


def report(error: Exception, *, logged: bool = False) -> bool:
    """Show ``error`` on the page: its own sentence, or a reference to the traceback in the log.

    Args:
        error: what went wrong.
        logged: the traceback is in the log already; only the reference is added.

    Returns:
        True, which tells Streamlit that nothing else need be shown.
    """
    if is_for_the_user(error):
        st.error(plain(str(error)))
        return True
    reference = secrets.token_hex(3)
    _log.error(
        "Reference %s: %s on a page", reference, type(error).__name__,
        exc_info=None if logged else error,
    )  # fmt: skip
    st.error(
        "Something went wrong on this page. Your runs and settings are kept; try again or open "
        f"another page. Details are in the app's log (its terminal), reference **{reference}**."
    )
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

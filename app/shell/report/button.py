"""The button that saves a report of the page, and the component that makes the file.

The file is made in the browser, which has the page. It gets there what it lacks: Plotly's library,
and what the page has recorded (:mod:`app.shell.report.record`).
"""

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from app.shell.report import record
from app.shell.streamlit_internals import DeltaGenerator, RerunException

_HERE = Path(__file__).parent
_component = component("report", js=(_HERE / "report.js").read_text("utf-8"))


def show() -> None:
    """Draw the button. Pressing it draws the page once more, which is recorded."""
    st.button(
        "Save a report",
        key="save-report",
        shortcut="s",
        type="tertiary",
        on_click=record.order,
        help="Saves this page as one HTML file, with its numbers, tables, images, code and live "
        "charts. It works offline and can be printed.",
    )


@contextmanager
def of_the_page(name: str, place: DeltaGenerator) -> Iterator[None]:
    """Record the page that is drawn meanwhile if a report was asked for, and hand it over.

    Args:
        name: of the page, for the name of the file.
        place: a container for the component, which shows nothing.
    """
    token = record.begin(name)
    try:
        yield
    except RerunException:  # the page is drawn again, and recorded then
        raise
    except BaseException:  # the page was stopped; it has been drawn up to there
        _make(name, token, place)
        raise
    else:
        _make(name, token, place)


def _make(name: str, token: int | None, place: DeltaGenerator) -> None:
    if token is not None:
        st.toast("Your browser saves the report when the work of the page is done.")
        with place.container(key="report-maker"):
            _maker(name, token)


@st.fragment
def _maker(name: str, token: int) -> None:
    """Draw the component, which asks for the record once the page has no work left."""
    asked = (st.session_state.get("report") or {}).get("rested") == token
    recorded = record.end() if asked else None
    data = {"token": token} if recorded is None else _data(recorded, name)
    _component(key="report", data=data, on_rested_change=_nothing)


def _nothing() -> None:
    """Do nothing: Streamlit keeps a component's state only if a callback is given for it."""


def _data(recorded: record.Record, name: str) -> dict[str, Any]:
    now = datetime.now().astimezone()
    parts = {name: vars(recorded)[name] for name in ("charts", "tables", "codes")}
    return {
        "token": recorded.token,
        "file": f"elbo-room-{name}-{now:%Y-%m-%d-%H%M%S}.html",
        "about": f"ELBO Room {_version()} · {now:%Y-%m-%d %H:%M %Z}",
        "css": (_HERE / "report.css").read_text("utf-8"),
        "plotly": _plotly() if recorded.charts else "",
        **{kind: {k: list(v) for k, v in part.items()} for kind, part in parts.items()},
    }


def _plotly() -> str:
    """Plotly's library for browsers, some 5 MB."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def _version() -> str:
    try:
        return importlib.metadata.version("elbo-room")
    except importlib.metadata.PackageNotFoundError:  # a copy that was not installed
        return ""

"""What a report takes from the server: charts, tables and code of the page that is drawn.

Everything else that a page shows, such as texts and numbers, the browser has drawn already, and
``report.js`` takes it from there. The shared parts of pages note their charts, tables and code
here, so no page knows of reports.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from vae_core.basics.errors import UserError

MOST_ROWS = 2000
"""Rows of a table that a report has at most."""
_ORDER, _RECORD = "report-order", "report-record"


@dataclass
class Record:
    """Parts of a page by the keys of their elements.

    Attributes:
        token: number of the order.
        page: name of the page.
    """

    token: int
    page: str
    charts: dict[str, tuple[str, str]] = field(default_factory=dict)
    tables: dict[str, tuple[list[str], list[list[str]], str]] = field(default_factory=dict)
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)


def order() -> None:
    """Ask for a report of the page, which is recorded when it is drawn next."""
    st.session_state[_ORDER] = time.time_ns() // 1_000_000


def begin(page: str) -> int | None:
    """Record the page if a report of it was asked for. Call it before the page is drawn.

    The record stays open until :func:`end`: long work on the page may draw charts again, and may
    have the whole page drawn again.

    Returns:
        The number of the order; None if no report was asked for.
    """
    token, before = (st.session_state.pop(name, None) for name in (_ORDER, _RECORD))
    if token is None and before is not None and before.page == page:
        token = before.token
    if token is not None:
        st.session_state[_RECORD] = Record(token, page)
    return token


def end() -> Record | None:
    """Return what was recorded, once; None if nothing is recorded."""
    return st.session_state.pop(_RECORD, None)


def _record() -> Record | None:
    return st.session_state.get(_RECORD)


def chart(key: str, alt: str, figure: Callable[[], str]) -> None:
    """Note a chart.

    Args:
        figure: makes its data and layout, as JSON.
    """
    if (record := _record()) is not None:
        record.charts[_class(key)] = (alt, figure())


def code(key: str, label: str, lines: str | Sequence[str] | Callable[[], str]) -> None:
    """Note code, even if the page has it folded."""
    if (record := _record()) is None:
        return
    try:
        text = lines() if callable(lines) else lines
    except UserError as error:
        text = f"# {error}"
    record.codes[_class(key)] = (label, text if isinstance(text, str) else "\n".join(text))


def table(key: str, columns: Mapping[str, Any], titles: Mapping[str, str], alt: str = "") -> None:
    """Note a table.

    Args:
        columns: the values by the names of the columns.
        titles: what stands over a column instead of its name.
    """
    if (record := _record()) is None:
        return
    rows = [[_cell(each) for each in row] for row in zip(*columns.values(), strict=True)]
    left_out = f" The first {MOST_ROWS:,} of {len(rows):,} rows." if len(rows) > MOST_ROWS else ""
    heads = [titles.get(name, name) for name in columns]
    record.tables[_class(key)] = (heads, rows[:MOST_ROWS], (alt + left_out).strip())


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_cell, value))
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _class(key: str) -> str:
    """The key of an element as it is in the class that Streamlit gives to the element."""
    return re.sub(r"[^a-zA-Z0-9_-]", "-", key)

"""Tables that can be sorted and searched, and that a report of the page contains."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.shell.report import record


def table(columns: Mapping[Any, Any], key: str, **options: Any) -> Any:
    """Show a table, as ``st.dataframe`` does.

    Args:
        columns: the values by the names of the columns.
        key: name of the table on its page.
        options: those of ``st.dataframe``.
    """
    settings = options.get("column_config") or {}
    titles = {name: each["label"] for name, each in settings.items() if each and each.get("label")}
    record.table(key, columns, titles, options.get("alt", ""))
    return st.dataframe(columns, key=key, **options)

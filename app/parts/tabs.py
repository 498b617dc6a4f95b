"""Tabs that the URL names, and that are found again as they were left."""

from collections.abc import Iterator, Sequence

import streamlit as st

from app.shell.streamlit_internals import DeltaGenerator

_KEY = "tab"


def opened(names: Sequence[str], page: str) -> Iterator[tuple[int, DeltaGenerator]]:
    """Show tabs; the place of the open one, and what to draw it in.

    Args:
        page: whose tabs they are. ``st.tabs`` has no ``persist_state``: going to another page would
            bring a visitor back to the first.
    """
    kept = f"{page}-tab"
    if _KEY not in st.query_params and kept in st.session_state:
        st.session_state[_KEY] = st.session_state[kept]
    tabs = st.tabs(names, key=_KEY, bind="query-params", on_change=_keep, args=(kept,))
    for place, tab in enumerate(tabs):
        if tab.open:
            st.session_state[kept] = names[place]
            yield place, tab


def _keep(kept: str) -> None:
    """Know the visitor's choice before the tabs are drawn anew."""
    st.session_state[kept] = st.session_state[_KEY]

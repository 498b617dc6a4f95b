"""The few things every page is made of, so that they look and read alike everywhere."""

from collections.abc import Iterator, Sequence
from typing import Any

import streamlit as st

from app.shell import frame, navigation
from app.shell.streamlit_internals import DeltaGenerator
from vae_core.settings.protocol import Protocol

IN_URL: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
"""For a widget whose value is in the address, and kept while other pages are looked at."""
_TAB = "tab"


def header(title: str, lead: str = "") -> None:
    """The head of a page: its name and, in one sentence that a speaker says, what it shows."""
    with st.container(key="page-head", gap=None):
        st.title(title, anchor=False)
        if lead and not frame.presenting():
            st.caption(lead)


def more(label: str, key: str) -> DeltaGenerator:
    """A button that unfolds settings which are seldom changed."""
    return st.popover(label, icon=":material/tune:", width="stretch", key=key)


def protocol(protocol: Protocol, *notes: str, pixels: str) -> None:
    """The line under a figure that says how it was measured; ``pixels`` as ``RunConfig.pixels``."""
    st.caption(protocol.text(*notes, pixels=pixels))


def open_tabs(names: Sequence[str], page: str) -> Iterator[tuple[int, DeltaGenerator]]:
    """Show tabs that the URL names, and that are found again as they were left.

    Args:
        page: the page they belong to. ``st.tabs`` has no ``persist_state``: going to another page
            would bring a visitor back to the first tab.

    Yields:
        The place of the open tab, and the container to draw it in.
    """
    kept = f"{page}-tab"
    if _TAB not in st.query_params and kept in st.session_state:
        st.session_state[_TAB] = st.session_state[kept]
    tabs = st.tabs(names, key=_TAB, bind="query-params", on_change=_keep_tab, args=(kept,))
    for place, tab in enumerate(tabs):
        if tab.open:
            st.session_state[kept] = names[place]
            yield place, tab


def _keep_tab(kept: str) -> None:
    """Remember the visitor's choice before the tabs are drawn anew."""
    st.session_state[kept] = st.session_state[_TAB]


@st.fragment
def code(lines: str | Sequence[str]) -> None:
    """The few lines of ``vae_core`` that reproduce what is on the screen, folded away."""
    fold = st.expander(
        "Show the code", icon=":material/code:", type="compact", key="code", on_change="rerun"
    )
    # Streamlit colours code with 1.6 MB of JavaScript, which nobody waits for who does not look.
    if fold.open:
        fold.code(lines if isinstance(lines, str) else "\n".join(lines), language="python")


def empty_state(title: str, sentence: str, page: str, label: str, **query: str) -> None:
    """What a page says when there is nothing to show yet, with a link to the next step."""
    with st.container(key="empty-state", horizontal_alignment="center", gap="small"):
        st.subheader(title, anchor=False, width="content")
        st.markdown(sentence, width="content", text_alignment="center")
        navigation.link(page, label, **query)

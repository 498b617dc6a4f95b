"""Elements of every page, such as heading, tabs and code, which look alike on all pages."""

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import streamlit as st

from app.shell import errors, frame, navigation
from app.shell.report import record
from app.shell.streamlit_internals import DeltaGenerator
from vae_core.settings.protocol import Protocol

IN_URL: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}
"""Arguments of a widget whose value is kept in the URL and on visits to other pages."""
_TAB = "tab"


def header(title: str, lead: str = "") -> None:
    """Draw the head of a page: its title and one sentence that says what the page shows."""
    with st.container(key="page-head", gap=None):
        st.title(title, anchor=False)
        if lead and not frame.presenting():
            st.caption(lead)


def more(label: str, key: str) -> DeltaGenerator:
    """Return a popover with a button, for settings that are seldom changed."""
    return st.popover(label, icon=":material/tune:", width="stretch", key=key)


def protocol(protocol: Protocol, *notes: str, pixels: str) -> None:
    """Write under a figure how it was measured; ``pixels`` is ``RunConfig.pixels``."""
    st.caption(errors.plain(protocol.text(*notes, pixels=pixels)))


def open_tabs(
    names: Sequence[str], page: str, former: Mapping[str, str] = types.MappingProxyType({})
) -> Iterator[tuple[int, DeltaGenerator]]:
    """Show tabs. The open one is named in the URL, and is open again after a visit elsewhere.

    Args:
        page: the page of the tabs. Its open tab is kept here, because ``st.tabs`` has no
            ``persist_state``: after a visit to another page, the first tab would be open.
        former: names of tabs in old links, and their present names.

    Yields:
        The index of the open tab, and the container to draw it in.
    """
    kept = f"{page}-tab"
    if (linked := st.query_params.get(_TAB, "")) in former:
        st.query_params[_TAB] = st.session_state[_TAB] = former[linked]
    if _TAB not in st.query_params and kept in st.session_state:
        st.session_state[_TAB] = st.session_state[kept]
    tabs = st.tabs(names, key=_TAB, bind="query-params", on_change=_keep_tab, args=(kept,))
    for place, tab in enumerate(tabs):
        if tab.open:
            st.session_state[kept] = names[place]
            yield place, tab


def _keep_tab(kept: str) -> None:
    """Keep the user's choice before the tabs are drawn again."""
    st.session_state[kept] = st.session_state[_TAB]


@st.fragment
def code(
    lines: str | Sequence[str] | Callable[[], str],
    label: str = "Show the code",
    key: str = "code",
) -> None:
    """Show the lines of ``vae_core`` code that reproduce the page, in a closed expander.

    Args:
        lines: the lines, or a function that makes the text once the expander is opened.
    """
    record.code(key, label, lines)
    fold = st.expander(label, icon=":material/code:", type="compact", key=key, on_change="rerun")
    # Streamlit loads 1.6 MB of JavaScript to colour code: only if the expander is opened.
    if fold.open:
        text = lines() if callable(lines) else lines
        fold.code(text if isinstance(text, str) else "\n".join(text), language="python")


def empty_state(title: str, sentence: str, page: str, label: str, **query: str) -> None:
    """Say that there is nothing to show yet, with a link to the page of the next step."""
    with st.container(key="empty-state", horizontal_alignment="center", gap="small"):
        st.header(title, anchor=False, width="content")
        st.markdown(sentence, width="content", text_alignment="center")
        navigation.link(page, label, **query)

"""Choices that the address of the page Compare keeps."""

from collections.abc import Callable, Sequence

import streamlit as st


def choose(label: str, options: Sequence[str], name: str, shown: Callable[[str], str]) -> str:
    """Draw a choice that the address keeps by its name.

    ``bind="query-params"`` would write the labels into the address.
    """
    key = f"compare-{name}"
    linked = st.query_params.get(name)
    if linked in options and linked != st.session_state.get(f"{key}-in-url"):
        st.session_state[key] = linked
    elif st.session_state.get(key) not in options:
        st.session_state[key] = options[0]
    chosen = st.segmented_control(
        label,
        options,
        required=True,
        key=key,
        persist_state="session",
        format_func=shown,
        help="Kept in the address, so that a link shows the same chart.",
    )
    chosen = chosen or options[0]
    st.session_state[f"{key}-in-url"] = chosen
    if linked != chosen:
        st.query_params[name] = chosen
    return chosen

"""The list of sweeps on the Train page."""

import streamlit as st

from app.services import sweeps
from app.shell import errors, navigation
from vae_core.runs.sweeps import Sweep

_SHOWN = 5


def show() -> None:
    """List the newest sweeps, each with how far it has come and a link to its figures."""
    found = sweeps.entries()
    if not found:
        return
    st.subheader("Sweeps", anchor=False)
    with st.container(key="sweep-list", gap="xxsmall"):
        for each in found[:_SHOWN]:
            if not isinstance(each, Sweep):
                st.caption(errors.plain(each.reason))
                continue
            state = sweeps.progress(each)
            done = state.counts.get("done", 0)
            remark = f"{done}/{len(state.members)} done"  # first: a long title is cut at its end
            title = errors.plain(each.title)
            navigation.link("compare", f":gray[:small[{remark}]] {title}", sweep=each.id)
            if state.unfinished:
                st.progress(state.share)


def run_ids() -> set[str]:
    """Ids of the runs that belong to sweeps."""
    found = (each for each in sweeps.entries() if isinstance(each, Sweep))
    return {planned.id for each in found for planned in each.planned}

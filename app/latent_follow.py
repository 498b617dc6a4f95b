"""A model whose run is still training: which weights are shown, and newer ones as they come."""

import streamlit as st

from app.services import Choice
from vae_core.runs import UNFINISHED, RunError

_SECONDS = 2.0


def follow(choice: Choice) -> None:
    """Say that the run is under way and, if asked to, show its newer weights as they come."""
    try:
        under_way = choice.run.status().state in UNFINISHED
    except RunError:
        st.warning("The run of this model is gone. What is shown was kept in memory.")
        return
    if under_way:
        with st.container(key="latent-follow"):
            st.fragment(run_every=_SECONDS)(_watch)(choice)


def _watch(choice: Choice) -> None:
    try:
        status = choice.run.status()
    except RunError:
        st.rerun()
    keep_up = st.toggle(
        "Follow the training",
        key="follow",
        bind="query-params",
        persist_state="session",
        help="Draws everything anew whenever the run has better weights; off, it stays as it is.",
    )
    newer = choice.run.checkpoint_digest() != choice.digest
    if status.state not in UNFINISHED or (newer and keep_up):
        st.rerun()
    epochs = choice.run.config.train.epochs
    note = f"In training, epoch {status.epoch} of {epochs}. "
    note += "There are better weights than these." if newer else "These are its best weights."
    st.caption(note)

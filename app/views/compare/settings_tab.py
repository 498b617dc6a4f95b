"""The Settings tab: the settings that differ."""

import streamlit as st

from app.parts import tables
from vae_core.runs.comparison import Comparison
from vae_core.wording.comparison import NO_MEANING, setting_in_words


def show(found: Comparison) -> None:
    """Draw the tab."""
    if not found.settings:
        st.markdown("The settings of these runs are equal.")
        return
    words = [[setting_in_words(s.about, value) for value in s.values] for s in found.settings]
    labels = [each.about.label for each in found.settings]
    if len(found.runs) <= len(labels):
        columns = {name: [row[i] for row in words] for i, name in enumerate(found.names)}
        tables.table({"Setting": labels, **columns}, hide_index=True, key="compare-settings")
    else:  # a row for each run, because there are more runs than settings
        columns = dict(zip(labels, words, strict=True))
        tables.table({"Run": found.names, **columns}, hide_index=True, key="compare-settings")
    st.caption(
        f"Only settings that differ. {NO_MEANING} stands where a setting has no meaning for a run, "
        "such as the steps of a flow where q(z|x) is Gaussian."
    )

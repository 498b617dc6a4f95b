"""Posterior lab: the true posterior of one image, and how close every q(z|x) comes to it."""

from pathlib import Path

import streamlit as st

from app.parts import charts, missing_data, pickers, widgets
from app.shell import errors

LEAD = (
    "Which z could have produced this image? The true posterior p(z|x) is the answer. The "
    "encoder's q(z|x) only approximates it, and log p(x) − ELBO measures the error in nats."
)
TABS = ("Posterior", "Bounds", "Gap", "Flow steps", "Weights", "Methods")
FORMER = {"Ruler": "Bounds"}
"""Names of tabs in old links."""


@st.fragment
def explore() -> None:
    row = st.container(key="posterior-choice", horizontal=True, vertical_alignment="center")
    notes = st.container(key="posterior-notes", gap="xxsmall")
    with row:
        shown = st.container(key="posterior-shown", horizontal=True, vertical_alignment="center")
        fold = st.popover("Model and image", icon=":material/tune:", key="posterior-fold")
        families = st.popover("Families of q", icon=":material/palette:", key="posterior-families")
    with fold:
        choice = pickers.pick_model(notes=notes)
        # The imports below load torch.
        from app.views.posterior import (
            bounds_tab,
            data,
            flow_tab,
            gap_tab,
            methods_tab,
            truth_tab,
            weights_tab,
        )
        from app.views.posterior.families import named, pick_members
        from app.views.posterior.subject import WITHOUT_DATA, pick_subject, show_preparation

        subject = pick_subject(choice, notes)
    if subject is None:
        missing_data.panel(choice, WITHOUT_DATA)
        return
    show_preparation(subject)
    with families:
        members = pick_members(choice, notes)
    with shown:
        charts.image(subject.picture, None, 48, alt=f"{subject.label}, as the model sees it")
        model = errors.plain(choice.label)
        st.markdown(f"**{errors.plain(subject.label)}** · {model} · {named(members)}")
    data.prepare(subject)
    panels = (truth_tab, bounds_tab, gap_tab, flow_tab, weights_tab, methods_tab)
    for place, tab in widgets.open_tabs(TABS, "posterior", FORMER):
        with tab:
            panels[place].show(subject, members)


st.html(Path(__file__).with_name("style.css"))
widgets.header("Posterior", LEAD)
explore()

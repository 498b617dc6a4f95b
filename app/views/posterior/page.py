"""Posterior lab: the true posterior of one image, and how close every q(z|x) comes to it."""

from pathlib import Path

import streamlit as st

from app.parts import charts, missing_data, pickers, widgets

LEAD = (
    "Which z could have produced this image? The true posterior p(z|x) is the answer. The "
    "encoder's q(z|x) only approximates it, and log p(x) − ELBO measures the error in nats."
)
TABS = ("Posterior", "Ruler", "Gap", "Flow steps", "Weights", "Methods")


@st.fragment
def explore() -> None:
    with st.container(key="posterior-choice"):
        choice = pickers.pick_model()
        # The imports below load torch.
        from app.views.posterior import (
            data,
            flow_tab,
            gap_tab,
            methods_tab,
            ruler_tab,
            truth_tab,
            weights_tab,
        )
        from app.views.posterior.families import pick_members
        from app.views.posterior.subject import WITHOUT_DATA, pick_subject, show_preparation

        subject = pick_subject(choice)
        if subject is not None:
            charts.image(subject.picture, None, 64, alt=f"{subject.label}, as the model sees it")
    if subject is None:
        missing_data.panel(choice, WITHOUT_DATA)
        return
    show_preparation(subject)
    members = pick_members(choice)
    data.prepare(subject)
    panels = (truth_tab, ruler_tab, gap_tab, flow_tab, weights_tab, methods_tab)
    for place, tab in widgets.open_tabs(TABS, "posterior"):
        with tab:
            panels[place].show(subject, members)


st.html(Path(__file__).with_name("style.css"))
widgets.header("Posterior", LEAD)
explore()

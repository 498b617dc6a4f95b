"""Classify page: p(y|x) by several ways beside each other."""

import streamlit as st

from app.parts import missing_data, pickers, widgets
from app.services import data

LEAD = (
    "What does the image show? Three ways to p(y|x): Bayes' rule with a model of p(x|y), a class "
    "head, and classifiers on the latents."
)


@st.fragment
def show() -> None:
    choice = pickers.pick_model(conditional=True)
    if not choice.run.config.info.classes:
        st.info("The data set of this model has no classes, so there is no p(y|x).")
        return
    if data.missing(choice):
        missing_data.panel(choice, "Classes are measured on test images, which are not here.")
        return
    from app.views.classify import panels  # loads torch

    panels.show(choice)


widgets.header("Classify", LEAD)
show()

"""Compare page: runs and models side by side."""

from pathlib import Path

import streamlit as st

from app.parts import widgets
from app.services import comparing
from app.shell import errors
from app.views.compare import (
    curves_tab,
    export,
    figures_tab,
    gap_tab,
    images_tab,
    kl_tab,
    picker,
    settings_tab,
    sweep_view,
)

LEAD = (
    "Put runs and models side by side. A best one is named only where the difference is larger "
    "than its error and both were measured in the same way."
)
TABS = ("Figures", "Settings", "Curves", "Images", "KL by dimension", "Gap")


@st.fragment
def show() -> None:
    if (sweep := sweep_view.pick()) is not None:
        sweep_view.show(sweep)
        return
    chosen = picker.pick()
    if not chosen:
        st.caption("Choose two runs or more, and they are put side by side here.")
        return
    found = comparing.comparison(chosen)
    for problem in dict.fromkeys(p for each in found.runs for p in each.problems):
        st.warning(errors.plain(problem))
    draw = (
        lambda: figures_tab.show(found),
        lambda: settings_tab.show(found),
        lambda: curves_tab.show(found),
        lambda: images_tab.show(chosen, found),
        lambda: kl_tab.show(found),
        lambda: gap_tab.show(chosen, found),
    )
    for place, tab in widgets.open_tabs(TABS, "compare"):
        with tab:
            draw[place]()
    export.show(found)


st.html(Path(__file__).with_name("style.css"))
widgets.header("Compare", LEAD)
show()

"""Data page: the images of every data set, and a way to add images of one's own."""

from pathlib import Path

import streamlit as st

from app.parts import widgets
from app.services import adding
from app.views.data import add, look, removing

LEAD = "What models are trained on: data sets that came with the program, and your own images."
LOOK, ADD = TABS = ("Images", "Add images")

st.html(Path(__file__).with_name("style.css"))
widgets.header("Data", LEAD)
adding.sweep()
removing.notes()
if add.take_finished():
    st.session_state["tab"] = LOOK
for place, tab in widgets.open_tabs(TABS, "data"):
    with tab:
        (look.show, add.show)[place]()

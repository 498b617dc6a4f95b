"""Latent space page: where the images lie in z, and what any point z decodes to."""

from pathlib import Path

import streamlit as st

from app.parts import pickers, widgets
from app.services import data

LEAD = "The encoder gives every image a place in z; the decoder gives every place an image."
TABS = ("Map", "Decode", "Manifold", "Interpolate", "Traverse", "Prior")


@st.fragment
def explore() -> None:
    chosen = st.container(key="latent-choice")
    with chosen:
        choice = pickers.pick_model()
    # The imports below load torch.
    if data.missing(choice):
        from app.views.latent import without_data

        without_data.show(choice)
        return
    with chosen:
        from app.views.latent import (
            decode_tab,
            interpolate_tab,
            manifold_tab,
            map_tab,
            prior_tab,
            selection,
            traverse_tab,
        )

        view = selection.pick_view(choice)
        index = selection.pick_point(view)
    selection.follow(choice)
    show = (
        map_tab.show,
        decode_tab.decode,
        manifold_tab.manifold,
        interpolate_tab.interpolate,
        traverse_tab.traverse,
        prior_tab.prior,
    )
    for place, tab in widgets.open_tabs(TABS, "latent"):
        with tab:
            show[place](view, index)


st.html(Path(__file__).with_name("style.css"))
widgets.header("Latent space", LEAD)
explore()

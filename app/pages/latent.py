"""Latent space: where the images lie in z, and what any point of it decodes to."""

from pathlib import Path

import streamlit as st

from app import missing_data, pickers, tabs, widgets

LEAD = "The encoder gives every image a place in z; the decoder gives every place an image."
TABS = ("Map", "Decode", "Manifold", "Interpolate", "Traverse", "Prior")


@st.fragment
def explore() -> None:
    chosen = st.container(key="latent-choice")
    with chosen:
        choice = pickers.pick_model()
    # What is imported here brings torch along.
    if missing_data.missing(choice):
        from app import latent_bare

        latent_bare.show(choice)
        return
    with chosen:
        from app import latent_follow, latent_map, latent_pick, latent_shapes, latent_ways

        view = latent_pick.pick_view(choice)
        index = latent_pick.pick_point(view)
    latent_follow.follow(choice)
    show = (
        latent_map.show,
        latent_ways.decode,
        latent_shapes.manifold,
        latent_ways.interpolate,
        latent_ways.traverse,
        latent_shapes.prior,
    )
    for place, tab in tabs.opened(TABS, "latent"):
        with tab:
            show[place](view, index)


st.html(Path(__file__).parent.parent / "latent.css")
widgets.header("Latent space", LEAD)
explore()

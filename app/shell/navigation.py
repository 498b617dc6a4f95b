"""The pages of the app, in the order of the navigation, and links to them."""

from dataclasses import dataclass

import streamlit as st

from app.shell.streamlit_internals import DeltaGenerator


@dataclass(frozen=True)
class Entry:
    """A page in the navigation."""

    title: str
    icon: str
    help: str
    section: str = ""
    folder: str = ""  # in app/views, where it is not the name in the address

    def label(self) -> str:
        return f":material/{self.icon}:"


PAGES = {
    "start": Entry("Start", "hub", "One image walks through the VAE, every number live."),
    "train": Entry(
        "Train", "model_training", "Train a model in the background and watch its terms.", "Explore"
    ),
    "latent": Entry(
        "Latent space",
        "bubble_chart",
        "See where the images live in z; decode any point.",
        "Explore",
    ),
    "score": Entry(
        "Score images", "straighten", "How probable does a model find images of yours?", "Explore"
    ),
    "posterior_lab": Entry(
        "Posterior",
        "target",
        "The true p(z|x) of one image, and how near every q(z|x) comes to it.",
        "Labs",
        "posterior",
    ),
    "gradient_lab": Entry(
        "Gradients",
        "scatter_plot",
        "How noisy is each estimator of the gradient?",
        "Labs",
        "gradients",
    ),
}


def path(name: str) -> str:
    """The script of a page, as ``st.page_link`` and ``st.switch_page`` want it."""
    return f"views/{PAGES[name].folder or name}/page.py"


def link(name: str, label: str | None = None, **query: str) -> DeltaGenerator:
    """A link to another page of the app, with the query parameters to open it with."""
    entry = PAGES[name]
    return st.page_link(
        path(name), label=label or entry.title, icon=entry.label(), query_params=query or None
    )

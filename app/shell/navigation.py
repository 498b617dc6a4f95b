"""The pages of the app, in the order of the navigation, and links to them."""

from dataclasses import dataclass
from typing import NoReturn

import streamlit as st

from app.shell.streamlit_internals import DeltaGenerator


@dataclass(frozen=True)
class Entry:
    """A page in the navigation.

    Attributes:
        title: name of the page in the navigation.
        own_heading: heading of the page, if it is not its title.
    """

    title: str
    icon: str
    help: str
    section: str = ""
    own_heading: str = ""

    @property
    def heading(self) -> str:
        """Heading of the page itself."""
        return self.own_heading or self.title

    def label(self) -> str:
        return f":material/{self.icon}:"


PAGES = {
    "start": Entry(
        "Start",
        "hub",
        "One image walks through the VAE, every number live.",
        own_heading="How a VAE works",
    ),
    "data": Entry(
        "Data", "photo_library", "See the images of every data set; add images of yours.", "Explore"
    ),
    "train": Entry(
        "Train", "model_training", "Train a model in the background and watch its terms.", "Explore"
    ),
    "compare": Entry(
        "Compare",
        "compare_arrows",
        "Put runs side by side: settings, figures with their errors, curves and images.",
        "Explore",
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
    "classify": Entry(
        "Classify",
        "category",
        "What does an image show? p(y|x) by Bayes' rule, a class head, and the latents.",
        "Explore",
    ),
    "posterior": Entry(
        "Posterior",
        "target",
        "The true p(z|x) of one image, and how close each q(z|x) comes to it.",
        "Labs",
    ),
    "gradients": Entry(
        "Gradients",
        "scatter_plot",
        "How noisy is each estimator of the gradient?",
        "Labs",
    ),
    "theory": Entry(
        "Theory",
        "menu_book",
        "The whole argument, equation by equation, with live numbers of one image.",
        "Read",
    ),
}
"""Pages by name. The name is also in the address, and names a folder of app/views."""

MOVED = {"posterior_lab": "posterior", "gradient_lab": "gradients"}
"""Former addresses, which old links still use, and the names of their pages."""


def path(name: str) -> str:
    """Path of a page's script, in the form in which Streamlit takes it."""
    return f"views/{name}/page.py"


def go(name: str, **query: str) -> NoReturn:
    """Leave for another page of the app, with query parameters for that page.

    Without parameters, ``st.switch_page`` fails where a widget keeps its value in the address.
    """
    st.switch_page(path(name), query_params=query)


def link(name: str, label: str | None = None, **query: str) -> DeltaGenerator:
    """Draw a link to another page of the app, with query parameters for that page."""
    entry = PAGES[name]
    return st.page_link(
        path(name), label=label or entry.title, icon=entry.label(), query_params=query or None
    )

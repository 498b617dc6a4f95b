"""What is around every page: the navigation, the look, the presentation mode."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.pages_manager import PagesManager

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """A page in the navigation."""

    title: str
    icon: str
    help: str
    section: str = ""

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
    ),
    "gradient_lab": Entry(
        "Gradients", "scatter_plot", "How noisy is each estimator of the gradient?", "Labs"
    ),
}


def own_navigation() -> bool:
    """Have Streamlit go through ``app/main.py`` for every page; True if it did not so far.

    Until ``st.navigation`` was first called, Streamlit takes any folder called ``pages`` for an app
    of its older kind, and would show the first page visited bare, without the shell around it.
    """
    bypassed = PagesManager.uses_pages_directory is not False
    PagesManager.uses_pages_directory = False
    return bypassed


def path(name: str) -> str:
    """The script of a page, as ``st.page_link`` and ``st.switch_page`` want it."""
    return f"pages/{name}.py"


def link(name: str, label: str | None = None, **query: str) -> DeltaGenerator:
    """A link to another page of the app, with the query parameters to open it with."""
    entry = PAGES[name]
    return st.page_link(
        path(name), label=label or entry.title, icon=entry.label(), query_params=query or None
    )


def presenting() -> bool:
    """Whether the presentation mode is on: large type, no chrome."""
    return bool(st.session_state.get("present", False))


def magnification() -> float:
    """By how much charts and images are enlarged just now."""
    return 1.25 if presenting() else 1.0


def open_page() -> st.Page:
    """Draw the frame and return the page that was asked for, ready to ``run()``."""
    st.set_page_config(
        page_title="ELBO Room",
        page_icon=str(_HERE / "mark.svg"),
        layout="wide",
        menu_items={"About": "**ELBO Room**, a laboratory for variational autoencoders."},
    )
    st.logo(str(_HERE / "mark.svg"), size="large")
    st.html(_HERE / "look.css")
    st.sidebar.toggle(
        "Presentation",
        key="present",
        bind="query-params",
        help="Large type and nothing but the page, for a projector; Esc leaves it.",
    )
    page = st.navigation(_sections(), position="hidden" if presenting() else "sidebar")
    if presenting():
        _strip()
    return page


def _sections() -> dict[str, list[st.Page]]:
    sections: dict[str, list[st.Page]] = {}
    for name, entry in PAGES.items():
        page = st.Page(
            path(name),
            title=entry.title,
            icon=entry.label(),
            help=None if presenting() else entry.help,
            url_path=name,
            default=name == "start",
        )
        sections.setdefault(entry.section, []).append(page)
    return sections


def _strip() -> None:
    """The presenter's way to the other pages and out, all but invisible until pointed at."""
    st.html(_HERE / "presentation.css")
    with st.container(key="presenter-strip", horizontal=True, gap="small"):
        for name in PAGES:
            link(name)
        st.button(
            "Leave", key="leave-presentation", shortcut="Esc", on_click=_leave, type="tertiary"
        )


def _leave() -> None:
    st.session_state["present"] = False

"""The frame around every page: navigation, style sheets, presentation mode."""

from functools import partial
from pathlib import Path

import streamlit as st

from app.shell import carried, keys, sessions, unknown
from app.shell.navigation import MOVED, PAGES, link, path

_HERE = Path(__file__).parent


def presenting() -> bool:
    """Whether the presentation mode is on: large type, no chrome."""
    return bool(st.session_state.get("present", False))


def magnification() -> float:
    """Factor by which charts and images are enlarged: above 1 in presentation mode."""
    return 1.25 if presenting() else 1.0


def open_page() -> st.Page:
    """Draw the frame and return the requested page, ready to ``run()``."""
    sessions.enter()
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
        help="Large type and nothing but the page, for a projector. Esc ends it. "
        "The key ? lists all keys.",
    )
    page = st.navigation(_sections(), position="hidden" if presenting() else "sidebar")
    carried.arrive(page.url_path)
    if presenting():
        _presenter_strip()
    else:
        with st.sidebar:
            keys.listen(presenting=False)
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
    # `python -m app` redirects former addresses; `streamlit run` shows the page at both addresses.
    for old, name in MOVED.items():
        page = st.Page(path(name), title=PAGES[name].title, url_path=old, visibility="hidden")
        sections[PAGES[name].section].append(page)
    if address := unknown.address():
        show = partial(unknown.show, address)
        page = st.Page(show, title="No such page", url_path=address, visibility="hidden")
        sections[""].append(page)
    return sections


def _presenter_strip() -> None:
    """Draw links to all pages and a button that ends the mode, nearly invisible until hovered."""
    st.html(_HERE / "presentation.css")
    with st.container(key="presenter-strip", horizontal=True, gap="small"):
        for name in PAGES:
            link(name)
        keys.listen(presenting=True)  # here, because a hidden sidebar is not drawn
        st.button(
            "Leave", key="leave-presentation", shortcut="Esc", on_click=_leave, type="tertiary"
        )


def _leave() -> None:
    st.session_state["present"] = False

"""The frame around every page: navigation, style sheets, presentation mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import streamlit as st

from app.shell import carried, keys, sessions, unknown
from app.shell.navigation import MOVED, PAGES, link, path
from app.shell.report import button
from app.shell.talk import state, tools, warming

_HERE = Path(__file__).parent


def presenting() -> bool:
    """Whether the presentation mode is on: large type, no chrome."""
    return bool(st.session_state.get("present", False))


def magnification() -> float:
    """Factor by which charts and images are enlarged: above 1 in presentation mode."""
    return 1.25 if presenting() else 1.0


@contextmanager
def open_page() -> Iterator[st.Page]:
    """Draw the frame around the requested page, which is ready to ``run()`` inside."""
    page = _open_page()
    with button.of_the_page(page.url_path or next(iter(PAGES)), st.sidebar.container()):
        yield page
    warming.warm_next()


def _open_page() -> st.Page:
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
    state.arrive()
    if presenting():
        _presenter_strip(page.url_path)
    else:
        with st.sidebar:
            tools.show(page.url_path, presenting=False)
            button.show()
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


def _presenter_strip(url_path: str) -> None:
    """Draw the line of the talk, or links to all pages, and a button that ends the mode."""
    st.html(_HERE / "presentation.css")
    with st.container(key="presenter-strip", horizontal=True, gap="small"):
        tools.show(url_path, presenting=True)
        for name in () if state.current().steps else PAGES:
            link(name)
        keys.listen(presenting=True)  # here, because a hidden sidebar is not drawn
        st.button(
            "Leave", key="leave-presentation", shortcut="Esc", on_click=_leave, type="tertiary"
        )


def _leave() -> None:
    st.session_state["present"] = False

"""Buttons of every page: add the screen to the talk, change the talk, show a QR code."""

from collections.abc import Callable

import streamlit as st

from app.shell import errors
from app.shell.navigation import PAGES
from app.shell.talk import editor, line, qr, state, talks
from app.shell.talk.talks import Step, TalkError

_FIRST = next(iter(PAGES))
_PLACES = 3  # of a note that appears and a dialog, and one to spare


def show(url_path: str, presenting: bool) -> None:
    """Draw the speaker's line and the buttons, in the present container.

    Streamlit puts dialogs, notes that appear, and style sheets into one hidden container. What a
    fragment puts there replaces what followed the fragment, which would be the style sheet of the
    page. So places are kept free for it.

    Args:
        url_path: path of the present page; empty for the first page.
        presenting: whether the presentation mode is on.
    """
    _bar(url_path, presenting)
    for _ in range(_PLACES):
        st.html("<style>/* a place for a dialog */</style>")


@st.fragment
def _bar(url_path: str, presenting: bool) -> None:
    bar = st.container(key="talk-bar", horizontal=presenting, gap="xxsmall")
    here = bar.container(key="talk-place", gap=None)
    actions: dict[str, Callable[[], None]] = {}
    with bar.container(key="talk-tools", horizontal=True, gap="xxsmall"):
        if _button("Add this screen", "add", "a", "Adds this screen to the end of the talk."):
            actions["add"] = lambda: _add(url_path)
        if _button("Talk", "talk", "t", "Shows the talk: reorder, note, save, open, present."):
            editor.open_on(url_path)
        if editor.is_open_on(url_path):
            actions["talk"] = lambda: editor.show(_base(url_path))
        elif _button("QR code", "qr", "q", "Shows a QR code of this screen."):
            actions["qr"] = lambda: qr.show(f"{_base(url_path)}/{_screen(url_path).address}")
    for act in actions.values():
        try:
            act()
        except TalkError as error:
            st.toast(errors.plain(str(error)))
    if refused := state.take_refusal():
        st.toast(errors.plain(refused), duration="long")
    with here:
        line.draw(url_path, presenting=presenting)


def _button(label: str, name: str, key: str, about: str) -> bool:
    return st.button(label, key=f"talk-{name}", shortcut=key, type="tertiary", help=about)


def _screen(url_path: str) -> Step:
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    return talks.screen(url_path or _FIRST, query)


def _add(url_path: str) -> None:
    if (url_path or _FIRST) not in PAGES:
        raise TalkError("This is not a page that a talk can show.")
    state.keep(state.current().plus(_screen(url_path)))
    number = len(state.current().steps)
    st.toast(f"Added as step {number} of the talk.", icon=":material/check:")


def _base(url_path: str) -> str:
    """The address of the app, without a slash at its end."""
    address = (st.context.url or "").rstrip("/")
    return address.removesuffix(f"/{url_path}") if url_path else address

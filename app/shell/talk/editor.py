"""The dialog in which a talk is reordered, annotated, saved, opened and begun."""

import streamlit as st

from app.shell import errors
from app.shell.talk import state, talks
from app.shell.talk.talks import Step, Talk, TalkError

_OPEN_ON = "talk-dialog"
_WIDTHS = (0.5, 4.4, 6, 0.9, 0.9, 0.9)
_EMPTY = (
    "No screen yet. Set up a page as you want to show it and press **Add this screen** (or the key "
    "a) there; or open a talk that was saved."
)


def open_on(url_path: str) -> None:
    """Note that the dialog is open on a page, until it is dismissed.

    So it is drawn again where work on the page has the whole page drawn again.
    """
    st.session_state[_OPEN_ON] = url_path


def is_open_on(url_path: str) -> bool:
    """Whether the dialog is open on a page."""
    return st.session_state.get(_OPEN_ON) == url_path


def _close() -> None:
    st.session_state.pop(_OPEN_ON, None)


@st.dialog("Talk", width="large", on_dismiss=_close)
def show(base: str) -> None:
    """Draw the dialog.

    Args:
        base: the address of the app, for the link of the talk.
    """
    talk = state.current()
    if not talk.steps:
        st.markdown(_EMPTY)
    for index, step in enumerate(talk.steps):
        _row(index, step, last=index + 1 == len(talk.steps))
    if talk.steps:
        _begin_and_save()
        _link(talk, base)
    _open()


def _row(index: int, step: Step, last: bool) -> None:
    name = f"{state.edition()}-{index}"
    number, title, note, up, down, remove = st.columns(_WIDTHS, vertical_alignment="center")
    number.markdown(f"{index + 1}")
    with title:
        if st.button(errors.plain(step.title), key=f"talk-open-{name}", type="tertiary",
                     help="Opens this step."):  # fmt: skip
            state.go(index + 1, presenting=False)
            _close()
            st.rerun()
    note.text_input(
        f"Note of step {index + 1}", step.note, max_chars=talks.MOST_NOTE, key=f"talk-note-{name}",
        label_visibility="collapsed", placeholder="A note for you", on_change=_take_note,
        args=(index, step, f"talk-note-{name}"),
    )  # fmt: skip
    up.button(
        ":material/arrow_upward:", key=f"talk-up-{name}", disabled=index == 0, on_click=_move,
        args=(index, step, -1), help="Moves this step up.", type="tertiary",
    )  # fmt: skip
    down.button(
        ":material/arrow_downward:", key=f"talk-down-{name}", disabled=last, on_click=_move,
        args=(index, step, 1), help="Moves this step down.", type="tertiary",
    )  # fmt: skip
    remove.button(
        ":material/delete:", key=f"talk-remove-{name}", on_click=_remove, args=(index, step),
        help="Removes this step.", type="tertiary",
    )  # fmt: skip


def _take_note(index: int, step: Step, key: str) -> None:
    if (now := state.current().place_of(step, index)) is not None:
        state.note(now, st.session_state[key])


def _move(index: int, step: Step, by: int) -> None:
    if (now := state.current().place_of(step, index)) is not None:
        state.keep(state.current().moved(now, by))


def _remove(index: int, step: Step) -> None:
    if (now := state.current().place_of(step, index)) is not None:
        state.keep(state.current().without(now))


def _begin_and_save() -> None:
    with st.container(horizontal=True, gap="small"):
        if st.button("Present from the first step", type="primary", key="talk-begin",
                     icon=":material/slideshow:", help="Shows step 1. Page Down shows the next."
                     ):  # fmt: skip
            state.go(1, presenting=True)
            _close()
            st.rerun()
        st.download_button(
            "Save", state.writer(), file_name="talk.json",
            mime="application/json", on_click="ignore", key="talk-save", icon=":material/save:",
            help="Saves the talk as a file, which Open reads.",
        )  # fmt: skip
        st.button(
            "Close the talk", key="talk-close", on_click=state.keep, args=(Talk(),),
            icon=":material/close:", help="Forgets the talk. Save it before, if you need it again.",
        )  # fmt: skip


def _link(talk: Talk, base: str) -> None:
    packed = talks.packed(talk)
    if not packed:
        st.caption(
            "This talk is too long for a link, and a reload of the page forgets it: save it as a "
            "file."
        )
        return
    first = talk.steps[0].address
    address = f"{base}/{first}{'&' if '?' in first else '?'}talk={packed}&talk_step=1"
    st.caption("This link opens the talk again, as it is now:")
    st.code(address, language=None, height=70)


def _open() -> None:
    given = st.file_uploader(
        "Open a talk", type="json", max_upload_size=1, key=f"talk-file-{state.edition()}",
        help="A file that Save made. It replaces the talk that is open.",
    )  # fmt: skip
    if given is None:
        return
    try:
        talk = talks.read(given.getvalue())
    except TalkError as error:
        st.error(errors.plain(str(error)))
        return
    if not talk.steps:
        st.error("This talk has no steps.")
        return
    state.keep(talk)
    st.rerun(scope="fragment")

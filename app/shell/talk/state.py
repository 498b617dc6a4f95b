"""The open talk of a session and the step that is shown. A link and a reload restore both."""

import time
from collections.abc import Callable

import streamlit as st

from app.shell.talk import talks
from app.shell.talk.talks import Step, Talk, TalkError

_TALK, _AT, _REFUSED, _GO, _EDITION, _SAVED = (
    f"talk-{name}" for name in ("open", "at", "refused", "go", "edition", "saved")
)


def arrive() -> None:
    """Take the talk and the step from the address, and keep them in it. Call it for every page.

    The talk is taken only when the session begins. Later the session knows better: an older entry
    of the browser's history has the talk as it was before it was changed.
    """
    if _TALK not in st.session_state:
        st.session_state[_TALK] = _linked()
    steps = len(current().steps)
    linked = st.query_params.get("talk_step", "")
    if linked.isdecimal() and len(linked) < 4 and 1 <= int(linked) <= steps:
        st.session_state[_AT] = int(linked)
    _keep_in_address()


def _linked() -> Talk:
    try:
        return talks.unpacked(linked) if (linked := st.query_params.get("talk")) else Talk()
    except TalkError as error:
        st.session_state[_REFUSED] = str(error)
        return Talk()


def _keep_in_address() -> None:
    """Write the talk into the address, or remove it there."""
    wanted = talks.packed(current())
    if wanted and st.query_params.get("talk") != wanted:
        st.query_params["talk"] = wanted
    for name in () if wanted else ("talk", "talk_step"):
        if name in st.query_params:
            del st.query_params[name]


def take_refusal() -> str:
    """Return why the talk of the link was refused, once; else an empty text."""
    return st.session_state.pop(_REFUSED, "")


def current() -> Talk:
    """Return the open talk; it is empty if none is open."""
    return st.session_state.get(_TALK, Talk())


def keep(talk: Talk) -> None:
    """Make a talk the open one. An empty one closes the talk."""
    st.session_state[_TALK] = talk
    st.session_state[_AT] = min(at(), len(talk.steps))
    st.session_state[_EDITION] = edition() + 1
    _keep_in_address()


def note(index: int, text: str) -> None:
    """Change the note of a step."""
    st.session_state[_TALK] = current().noted(index, text)
    writer()
    _keep_in_address()


def writer() -> Callable[[], str]:
    """Return a function that writes the talk as it is when it is called, in any thread.

    A file is saved in a thread that has no session.
    """
    saved = st.session_state.setdefault(_SAVED, {})
    saved["talk"] = current()
    return lambda: talks.write(saved["talk"])


def edition() -> int:
    """Return a number that changes when steps are added, moved or removed."""
    return st.session_state.get(_EDITION, 0)


def at() -> int:
    """Return the number of the step that was shown last, from 1; 0 if none was."""
    return min(st.session_state.get(_AT, 0), len(current().steps))


def following() -> Step | None:
    """Return the step that comes next; None at the end."""
    steps = current().steps
    return steps[at()] if at() < len(steps) else None


def go(number: int, *, presenting: bool) -> None:
    """Have the browser open a step when the frame is drawn next.

    Args:
        number: of the step, from 1.
    """
    token = time.time_ns() // 1_000_000  # larger than those that a browser knows already
    st.session_state[_GO] = {"to": number, "present": presenting, "token": token}


def take_order() -> dict[str, int | bool] | None:
    """Return what :func:`go` asked for, once."""
    return st.session_state.pop(_GO, None)

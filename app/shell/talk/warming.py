"""Draws the next step of a talk on the server, unseen, before the speaker asks for it.

Its script runs as for a visitor of its own. So the model, the data and the numbers of the step are
in the caches when it is shown, and its long work is under way. No page has to know of this.
"""

import logging
import threading

import streamlit as st

from app.shell import sessions
from app.shell.streamlit_internals import draw_unseen, has_server
from app.shell.talk import state
from app.shell.talk.talks import Step

PAUSE = 0.3  # seconds, in which the present step is drawn in the browser
_LONGEST = 60.0  # seconds
_WARMED = "talk-warmed"
_turn = threading.Lock()
_log = logging.getLogger("elbo_room")


def warm_next() -> None:
    """Begin to draw the next step, unless that was done already. Call it at the end of a page."""
    step, session = state.following(), sessions.current()
    if step is None or session is None or sessions.is_ahead() or not has_server():
        return
    if st.session_state.get(_WARMED) == step.address:
        return
    st.session_state[_WARMED] = step.address
    threading.Thread(target=_draw, args=(session, step), name="next step", daemon=True).start()


def _draw(session: str, step: Step) -> None:
    page = step.address.partition("?")[0]
    threading.Event().wait(PAUSE)
    try:
        with _turn:  # one at a time: the processor is also needed for what is shown
            draw_unseen(session, sessions.ahead_of(session), page, step.query, _LONGEST)
    except Exception:  # the step is then only slower
        _log.exception("A step of a talk could not be drawn ahead")

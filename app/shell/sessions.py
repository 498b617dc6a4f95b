"""Ends of sessions: what a session used is freed soon after it ends, not at the next visit.

A session ends when its browser has been gone for ``server.disconnectedSessionTTL`` seconds; until
then a browser that lost its connection can return to it.
"""

import gc
import itertools
import threading
import time
from collections.abc import Callable
from functools import cache

from app.shell.streamlit_internals import close_lost_sessions, has_server, session_id
from vae_core.basics.allocator import return_freed_memory

_EVERY = 2.0  # seconds
_RETURNED = 5  # times of this: how often freed memory goes back to the system
_AHEAD = "ahead of "
_seen: set[str] = set()
_at_end: list[Callable[[set[str]], None]] = []


def at_end(forget: Callable[[set[str]], None]) -> None:
    """Call ``forget`` with the ids of sessions that have ended, from another thread."""
    _at_end.append(forget)


def visitor() -> str | None:
    """Return the id of the session that this thread draws a page for; None in other threads.

    A page that is drawn ahead (:func:`ahead_of`) has a visitor of its own.
    """
    return session_id()


def current() -> str | None:
    """Return the id of the session that results of this thread are for; None in other threads."""
    found = session_id()
    if found is not None:
        found = found.removeprefix(_AHEAD)
        _seen.add(found)
    return found


def ahead_of(session: str) -> str:
    """Return the visitor that pages are drawn for before the session asks for them."""
    return _AHEAD + session


def is_ahead() -> bool:
    """Whether this thread draws a page before somebody asks for it."""
    return (session_id() or "").startswith(_AHEAD)


def enter() -> None:
    """Note the present session, so that its end is noticed."""
    current()
    if has_server():
        _watch()


@cache
def _watch() -> None:
    threading.Thread(target=_end_again_and_again, name="ends of sessions", daemon=True).start()


def _end_again_and_again() -> None:
    for turn in itertools.count(1):
        time.sleep(_EVERY)
        end_lost()
        if turn % _RETURNED == 0:
            return_freed_memory()  # else the process keeps the most that it ever used


def end_lost() -> None:
    """Free what the sessions used that have ended since the last call."""
    seen = set(_seen)  # before the next line, so that a session that begins now is not in it
    ended = seen - close_lost_sessions()
    if not ended:
        return
    _seen.difference_update(ended)
    for forget in _at_end:
        forget(ended)
    gc.collect()
    return_freed_memory()

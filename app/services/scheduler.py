"""Threads of the server that do the long work of all pages, by turns and outside their scripts.

A page says what it wants (:meth:`Scheduler.want`) and then only reads how far it is. So a redraw
costs the work nothing, and a click never waits for it. Threads, not processes: PyTorch's operations
release the interpreter's lock, and threads share models and results without copies.
``python -m tests.benchmarks report`` measures both.
"""

import atexit
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from app.shell import sessions
from vae_core.basics.threads import share_cores

_THREADS = 2  # so that one long step does not hold up all visitors
_SLICE = 0.1  # seconds of work before it is another's turn
_LAST_SLICE = 10.0  # seconds to wait for a thread at the end of the program
_BREATH = 1e-3  # seconds between slices, in which a page gets the lock of the work it changes
_log = logging.getLogger("elbo_room")

_Key = tuple[Hashable, Hashable]  # visitor and name


class Advancing(Protocol):
    """Work that is done in slices, such as those of :mod:`app.services.work`."""

    @property
    def working(self) -> bool: ...
    def advance(self, seconds: float) -> None: ...


@dataclass
class _Place:
    """Work in the line. ``kept``: it goes on without a page; ``busy``: a thread is at it."""

    work: Advancing
    kept: bool = False
    busy: bool = False


class Scheduler:
    """Works that somebody wants, and the threads that advance them in slices, by turns.

    Work that a page shows comes before work that was only asked to go on (:meth:`keep`).
    """

    def __init__(self, threads: int = _THREADS) -> None:
        self._most = threads
        self._threads: list[threading.Thread] = []
        self._line: OrderedDict[_Key, _Place] = OrderedDict()
        self._visits: dict[Hashable, int] = {}
        self._under_way = 0  # slices; the place of one may have left the line meanwhile
        self._closed = False
        self._change = threading.Condition()

    def enter(self, visitor: Hashable, visit: int) -> None:
        """Begin a visit: what the visitor wanted before rests unless it is wanted again.

        Args:
            visit: number of the visit. Scripts of a page may overlap; what an earlier one still
                wants is not done.
        """
        with self._change:
            if visit > self._visits.get(visitor, 0):
                self._visits[visitor] = visit
                self._forget(visitor)

    def want(
        self, visitor: Hashable, name: Hashable, work: Advancing, visit: int | None = None
    ) -> None:
        """Advance the work until it is done or stopped, or until its visitor leaves.

        Args:
            visitor: for whom.
            name: place of the work on the visitor's page. It replaces what had this place before.
            visit: see :meth:`enter`.
        """
        with self._change:
            if visit is None or visit >= self._visits.get(visitor, 0):
                self._put((visitor, name), work, kept=False)

    def keep(self, name: Hashable, work: Advancing) -> None:
        """Advance the work until it is done or stopped, whether or not a page shows it."""
        with self._change:
            self._put((None, name), work, kept=True)

    def leave(self, visitor: Hashable) -> None:
        """Forget a visitor and what it wanted. A slice that is under way is finished."""
        with self._change:
            self._forget(visitor)
            self._visits.pop(visitor, None)

    def close(self) -> None:
        """End the threads, after their slices. PyTorch does not bear to be left in the middle."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join(_LAST_SLICE)

    def release(self, name: Hashable) -> None:
        """Undo :meth:`keep`."""
        with self._change:
            self._line.pop((None, name), None)

    def wait(self, work: Advancing, seconds: float) -> None:
        """Return once the work is done or stopped, or after ``seconds``."""
        with self._change:
            self._change.wait_for(lambda: not work.working, seconds)

    def _forget(self, visitor: Hashable) -> None:
        for key in [each for each in self._line if each[0] == visitor]:
            del self._line[key]

    def _put(self, key: _Key, work: Advancing, kept: bool) -> None:
        before = self._line.get(key)
        if before is None or before.work is not work:
            self._line[key] = _Place(work, kept)
        while len(self._threads) < self._most and not self._closed:
            thread = threading.Thread(target=self._serve, name="long work", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._change.notify_all()

    def _serve(self) -> None:
        while (found := self._next()) is not None:
            key, place = found
            broken = False
            try:
                share_cores(self._under_way)
                place.work.advance(_SLICE)
            except Exception:  # the work reports its own errors; this is a bug
                _log.exception("Long work could not be advanced")
                broken = True
            with self._change:
                place.busy = False
                self._under_way -= 1
                if self._line.get(key) is place:
                    self._line.move_to_end(key)
                    if broken:
                        del self._line[key]
                self._change.notify_all()
            time.sleep(_BREATH)

    def _next(self) -> tuple[_Key, _Place] | None:
        """Wait for work, and take the first in the line that no other thread is at.

        Returns:
            Its key and its place; None if the threads are to end.
        """
        with self._change:
            while (found := self._first()) is None and not self._closed:
                self._change.wait()
            if found is None or self._closed:
                return None
            found[1].busy = True
            self._under_way += 1
            return found

    def _first(self) -> tuple[_Key, _Place] | None:
        for key, place in list(self._line.items()):
            if not place.busy and not _is_working(place.work):
                del self._line[key]
        under_way = [place.work for place in self._line.values() if place.busy]
        free = [
            each
            for each in self._line.items()
            if not any(each[1].work is work for work in under_way)  # also where it has two places
        ]
        return min(free, key=lambda each: each[1].kept, default=None)


def _is_working(work: Advancing) -> bool:
    """Whether the work has steps left. One whose state cannot be read has none for the threads,
    which other works need: its page reports the error when it reads the state itself."""
    try:
        return work.working
    except Exception:  # the work reports its own errors; this is a bug
        _log.exception("The state of long work could not be read")
        return False


@cache
def scheduler() -> Scheduler:
    """Return the scheduler of this server. What a session wanted ends with the session."""
    made = Scheduler()

    def leave(ended: set[str]) -> None:
        for session in ended:
            made.leave(session)
            made.leave(sessions.ahead_of(session))

    sessions.at_end(leave)
    atexit.register(made.close)
    return made

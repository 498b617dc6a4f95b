"""Threads of the server that do the long work of all pages, by turns and outside their scripts.

A page says what it wants (:meth:`Scheduler.want`) and then only reads how far it is. So a redraw
costs the work nothing, and a click never waits for it. PyTorch's operations release the
interpreter's lock; measured against worker processes, threads share models and results without
copies and start at once (tests/benchmarks/README.md).
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

_THREADS = 2  # so that one long step does not hold up all visitors
_SLICE = 0.1  # seconds of work before it is another's turn
_BREATH = 1e-3  # seconds between slices, in which a page gets the lock of the work it changes
_log = logging.getLogger("elbo_room")


class Advancing(Protocol):
    """Work that is done in slices, such as those of :mod:`app.services.work`."""

    @property
    def working(self) -> bool: ...
    def advance(self, seconds: float) -> None: ...


@dataclass
class _Place:
    """Work in the line; ``busy`` while a thread is at it."""

    work: Advancing
    kept: bool = False
    busy: bool = False


class Scheduler:
    """Works that somebody wants, and the threads that advance them in slices, by turns.

    Work that a page shows comes before work that was only asked to go on (:meth:`keep`).
    """

    def __init__(self, threads: int = _THREADS) -> None:
        self._most = threads
        self._started = 0
        self._line: OrderedDict[tuple[Hashable, Hashable], _Place] = OrderedDict()
        self._change = threading.Condition()

    def want(self, visitor: Hashable, name: Hashable, work: Advancing) -> None:
        """Advance the work until it is done or stopped, or until its visitor leaves.

        Args:
            visitor: for whom.
            name: place of the work on the visitor's page. It replaces what had this place before.
        """
        self._put((visitor, name), work, kept=False)

    def keep(self, name: Hashable, work: Advancing) -> None:
        """Advance the work until it is done or stopped, whether or not a page shows it."""
        self._put((None, name), work, kept=True)

    def leave(self, visitor: Hashable) -> None:
        """Forget what a visitor wanted. A slice that is under way is finished."""
        with self._change:
            for key in [each for each in self._line if each[0] == visitor]:
                del self._line[key]

    def wait(self, work: Advancing, seconds: float) -> None:
        """Return once the work is done or stopped, or after ``seconds``."""
        with self._change:
            self._change.wait_for(lambda: not work.working, seconds)

    def _put(self, key: tuple[Hashable, Hashable], work: Advancing, kept: bool) -> None:
        with self._change:
            before = self._line.get(key)
            if before is None or before.work is not work:
                self._line[key] = _Place(work, kept)
            while self._started < self._most:
                self._started += 1
                threading.Thread(target=self._serve, name="long work", daemon=True).start()
            self._change.notify_all()

    def _serve(self) -> None:
        while True:
            place = self._next()
            try:
                place.work.advance(_SLICE)
            except Exception:  # the work reports its own errors; this one is a bug, and not its end
                _log.exception("Long work could not be advanced")
                self._drop(place)
            with self._change:
                place.busy = False
                self._change.notify_all()
            time.sleep(_BREATH)

    def _next(self) -> _Place:
        """Wait for work, and take the first in the line that no other thread is at."""
        with self._change:
            while (place := self._first()) is None:
                self._change.wait()
            place.busy = True
            return place

    def _first(self) -> _Place | None:
        for key, place in list(self._line.items()):
            if not place.busy and not place.work.working:
                del self._line[key]
        for kept in (False, True):
            for key, place in self._line.items():
                if place.kept is kept and not place.busy:
                    self._line.move_to_end(key)
                    return place
        return None

    def _drop(self, place: _Place) -> None:
        with self._change:
            for key in [each for each, found in self._line.items() if found is place]:
                del self._line[key]


@cache
def scheduler() -> Scheduler:
    """Return the scheduler of this server."""
    return Scheduler()

"""A data set on its way from the internet, in a thread: no page waits for it, and any can stop it.

A :class:`Download` is watched like other long work (:mod:`app.parts.live`).
"""

import threading
import time

from app.services.work import State
from vae_core.data.catalogue import bytes_to_download, download
from vae_core.data.download import Progress


class Download:
    """The files of a data set that are not on this computer.

    Attributes:
        name: the data set.
        error: why the last attempt failed.
        begun: whether anyone has asked for it.
        done_bytes, all_bytes: how far it is.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: Exception | None = None
        self.begun = False
        self.done_bytes, self.all_bytes = 0, bytes_to_download(name)
        self._called_off = threading.Event()
        self._ended = threading.Event()
        self._turn = threading.Lock()
        self._from: tuple[float, int] | None = None  # when the first bytes came, and how many

    @property
    def state(self) -> State:
        """How it stands with the download."""
        if self.error is not None:
            return "failed"
        if self._called_off.is_set():
            return "stopped"
        return "done" if self._ended.is_set() else "working"

    @property
    def working(self) -> bool:
        """Whether bytes are coming, or being asked for."""
        return self.begun and self.state == "working"

    @property
    def share(self) -> float:
        """How much is here, 0 to 1."""
        return self.done_bytes / self.all_bytes if self.all_bytes else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None before that is known."""
        if self._from is None or self.done_bytes <= self._from[1]:
            return None
        started, before = self._from
        speed = (self.done_bytes - before) / (time.monotonic() - started)
        return (self.all_bytes - self.done_bytes) / speed

    def advance(self, seconds: float) -> None:
        """Wait for the end, but no longer than so: the work is done elsewhere."""
        self._ended.wait(seconds)

    def stop(self) -> None:
        """Leave it at what has arrived, which is kept."""
        self._called_off.set()

    def go_on(self) -> None:
        """Begin, take up again what was stopped, or try again what failed."""
        with self._turn:
            if self.working:
                return
            # Of each attempt its own: one that still waits for an answer ends by those it knows.
            self._called_off, self._ended = threading.Event(), threading.Event()
            self.begun, self.error, self._from = True, None, None
            attempt = self._called_off, self._ended
            threading.Thread(target=self._fetch, args=attempt, daemon=True).start()

    def _fetch(self, called_off: threading.Event, ended: threading.Event) -> None:
        try:
            download(self.name, self._report(called_off))
        except _CalledOffError:
            pass
        # Whatever it is: in a thread of its own nobody else would hear of it.
        except Exception as error:
            if not called_off.is_set():
                self.error = error
        finally:
            ended.set()

    def _report(self, called_off: threading.Event) -> Progress:
        def report(done: int, total: int) -> None:
            if called_off.is_set():
                raise _CalledOffError
            self.done_bytes, self.all_bytes = done, total
            self._from = self._from or (time.monotonic(), done)

        return report


class _CalledOffError(Exception):
    """Somebody pressed Stop."""

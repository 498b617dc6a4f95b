"""Downloads of data sets, each in a thread: no page waits for one, and every page can stop it.

Pages show the progress of a :class:`Download` as that of other long work (:mod:`app.parts.live`).
"""

import threading
import time

from app.services.work import State
from vae_core.data.catalogue import bytes_to_download, download
from vae_core.data.download import Progress


class Download:
    """The download of those files of a data set that are not on this computer.

    Attributes:
        name: the data set.
        error: why the last attempt failed.
        begun: whether anyone has started the download.
        done_bytes, all_bytes: bytes that have arrived, and bytes of all files.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: Exception | None = None
        self.begun = False
        self.done_bytes, self.all_bytes = 0, bytes_to_download(name)
        self._stop_requested = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._first: tuple[float, int] | None = None  # time and number of the first bytes

    @property
    def state(self) -> State:
        """State of the download."""
        if self.error is not None:
            return "failed"
        if self._stop_requested.is_set():
            return "stopped"
        return "done" if self._ended.is_set() else "working"

    @property
    def working(self) -> bool:
        """Whether the download is under way."""
        return self.begun and self.state == "working"

    @property
    def share(self) -> float:
        """Share of the bytes that have arrived, 0 to 1."""
        return self.done_bytes / self.all_bytes if self.all_bytes else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds left at the speed so far; None before the speed is known."""
        if self._first is None or self.done_bytes <= self._first[1]:
            return None
        started, before = self._first
        speed = (self.done_bytes - before) / (time.monotonic() - started)
        return (self.all_bytes - self.done_bytes) / speed

    def advance(self, seconds: float) -> None:
        """Wait for the end of the download, for ``seconds`` at most; its thread does the work."""
        self._ended.wait(seconds)

    def stop(self) -> None:
        """Stop the download and keep the bytes that have arrived."""
        self._stop_requested.set()

    def go_on(self) -> None:
        """Start the download, or continue it after a stop or a failure."""
        with self._lock:
            if self.working:
                return
            # Each attempt has its own events: an old attempt that still waits for an answer must
            # still see that it was stopped.
            self._stop_requested, self._ended = threading.Event(), threading.Event()
            self.begun, self.error, self._first = True, None, None
            attempt = self._stop_requested, self._ended
            threading.Thread(target=self._fetch, args=attempt, daemon=True).start()

    def _fetch(self, stop_requested: threading.Event, ended: threading.Event) -> None:
        try:
            download(self.name, self._report(stop_requested))
        except _StoppedError:
            pass
        # Every error is kept: it ends this thread, and nothing else would report it.
        except Exception as error:
            if not stop_requested.is_set():
                self.error = error
        finally:
            ended.set()

    def _report(self, stop_requested: threading.Event) -> Progress:
        def report(done: int, total: int) -> None:
            if stop_requested.is_set():
                raise _StoppedError
            self.done_bytes, self.all_bytes = done, total
            self._first = self._first or (time.monotonic(), done)

        return report


class _StoppedError(Exception):
    """The user pressed Stop."""

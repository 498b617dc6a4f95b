"""Signals that ask a training process to end: Ctrl-C, and that of a shutdown."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from vae_core.runs.status import State


@contextlib.contextmanager
def ending_signals() -> Iterator[list[State]]:
    """Collect the states that signals ask the run to end in, in the order of the signals.

    The signal handlers only note the request, and the run acts on it between two steps: an
    exception from a signal handler could come in the middle of writing a file. A second Ctrl-C
    does interrupt.
    """
    requested: list[State] = []
    if threading.current_thread() is not threading.main_thread():
        yield requested
        return

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        requested.append("queued")

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        if requested:
            raise KeyboardInterrupt
        requested.append("paused")

    handlers = {signal.SIGTERM: terminate, signal.SIGINT: interrupt}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

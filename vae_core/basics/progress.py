"""Work in small steps: generators that yield the share done, 0 to 1, and return what came of it."""

from collections.abc import Callable, Generator
from typing import TypeVar

T = TypeVar("T")


def finish(
    steps: Generator[float, None, T], on_progress: Callable[[float], None] | None = None
) -> T:
    """Take all steps at once; what they return."""
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return end.value
        if on_progress is not None:
            on_progress(share)

"""Long computations are iterators of states.

A state is frozen, says by ``share`` how much is done, 0 to 1, and the last one is or has the
result. Whoever drives the iterator can do other things between two states, show them, or stop.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")
OnProgress = Callable[[float], None]


class State(Protocol):
    """A state of a long computation."""

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        ...


S = TypeVar("S", bound=State)


@dataclass(frozen=True)
class Step(Generic[T]):
    """A state that has nothing to show on the way.

    Attributes:
        share: how much is done, 0 to 1.
        result: the result; None before the last step.
    """

    share: float
    result: T | None = None


def finish(states: Iterable[S], on_progress: OnProgress | None = None) -> S:
    """Run a long computation to its end and return its last state.

    Args:
        on_progress: called with the share that is done, after each state.

    Raises:
        ValueError: if there is no state at all.
    """
    last: S | None = None
    for last in states:
        if on_progress is not None:
            on_progress(last.share)
    if last is None:
        raise ValueError("A computation without any state has no result.")
    return last


def result_of(steps: Iterable[Step[T]], on_progress: OnProgress | None = None) -> T:
    """Run a long computation to its end and return the result of its last step.

    Raises:
        ValueError: if it ends without a result.
    """
    result = finish(steps, on_progress).result
    if result is None:
        raise ValueError("A computation ended without a result.")
    return result


def mapped(steps: Iterable[Step[T]], function: Callable[[T], R]) -> Iterator[Step[R]]:
    """The same steps with another result: ``function`` of theirs."""
    for step in steps:
        yield Step(step.share, None if step.result is None else function(step.result))


def part_of(steps: Iterable[Step[T]], start: float, end: float) -> Iterator[Step[T]]:
    """The same steps as a part of a longer computation, from one share of it to another."""
    for step in steps:
        yield Step(start + (end - start) * step.share, step.result)


def part_result(
    steps: Iterable[Step[T]], start: float, end: float
) -> Generator[Step[Any], None, T]:
    """Pass on the shares of a part of a longer computation, and return its result.

    For ``result = yield from part_result(…)`` within the longer one.

    Raises:
        ValueError: if the part ends without a result.
    """
    result: T | None = None
    for step in part_of(steps, start, end):
        result = step.result
        if result is None:
            yield Step(step.share)
    if result is None:
        raise ValueError("A computation ended without a result.")
    return result

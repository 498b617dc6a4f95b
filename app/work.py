"""Long work done a slice at a time, so that a page stays alive meanwhile and can stop it."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_IDLE = 2.0  # seconds without work that do not count as time spent
_MOST_UNDER_WAY = 64

V = TypeVar("V")


class Known(Generic[V]):
    """Results that are kept, so that nothing is computed twice; the oldest are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, V] = OrderedDict()

    def get(self, key: Hashable) -> V | None:
        """What is known under the key."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def put(self, key: Hashable, value: V) -> None:
        """Remember a result."""
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)


class Sliced:
    """Steps to be made. Nothing happens but in :meth:`advance`.

    A click starts a new run of the page's script while the last one may still be in a step, so
    whoever comes second waits for its turn.

    Attributes:
        stopped, done: whether the work was called off, or is finished.
        turn: held while the work is advanced or changed.
    """

    def __init__(self, steps: Iterator[object]) -> None:
        self.stopped = False
        self.done = False
        self.turn = threading.RLock()
        self._work = steps
        self._spent = 0.0  # seconds, with those that went into drawing the page in between
        self._last = 0.0

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        raise NotImplementedError

    @property
    def working(self) -> bool:
        """Whether there is something to do and nobody has stopped it."""
        return not (self.done or self.stopped)

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None before that is known."""
        return self._spent * (1 - self.share) / self.share if self.share > 0 else None

    def advance(self, seconds: float) -> None:
        """Go on for about so long, unless stopped or done. At least one step is made."""
        with self.turn:
            self._advance(seconds)

    def _advance(self, seconds: float) -> None:
        start = time.monotonic()
        if start - self._last > _IDLE:
            self._last = start
        while self.working:
            if next(self._work, self) is self:
                self.done = True
            if time.monotonic() - start >= seconds:
                break
        now = time.monotonic()
        self._spent += now - self._last
        self._last = now

    def stop(self) -> None:
        """Leave it at what has been done."""
        self.stopped = True

    def go_on(self) -> None:
        """Take up the work again."""
        self.stopped = False


@dataclass(frozen=True)
class Task(Generic[V]):
    """Something to compute, by states that come nearer and nearer to the result.

    Attributes:
        key: names the result: equal keys give equal results.
        title: what it does, for a progress bar: "Refitting the planar flow".
        start: begins it. Every state is a value of its own, not the last one changed.
        share: how much is done in a state, 0 to 1.
    """

    key: Hashable
    title: str
    start: Callable[[], Iterator[V]]
    share: Callable[[V], float]


class _Running(Sliced, Generic[V]):
    def __init__(self, task: Task[V]) -> None:
        super().__init__(self._steps(task))
        self.latest: V | None = None
        self._share_of = task.share

    def _steps(self, task: Task[V]) -> Iterator[None]:
        for state in task.start():
            self.latest = state
            yield

    @property
    def share(self) -> float:
        return 0.0 if self.latest is None else self._share_of(self.latest)


class Bench:
    """A visitor's tasks, done one after the other; what is finished is kept in ``known``."""

    def __init__(self, known: Known[Any]) -> None:
        self._known = known
        self._turn = threading.Lock()
        self._under_way: OrderedDict[Hashable, _Running[Any]] = OrderedDict()

    def latest(self, task: Task[V]) -> V | None:
        """The result, or the latest state on the way to it; None before the first."""
        found = self._known.get(task.key)
        if found is None and task.key in self._under_way:
            found = self._under_way[task.key].latest
        return found

    def finished(self, task: Task[Any]) -> bool:
        """Whether the result is there."""
        return self._known.get(task.key) is not None

    def stopped(self, task: Task[Any]) -> bool:
        """Whether it was called off."""
        return not self.finished(task) and self._running(task).stopped

    def working(self, tasks: Sequence[Task[Any]]) -> bool:
        """Whether any of the tasks has something left to do and was not stopped."""
        return any(not self.finished(task) and not self.stopped(task) for task in tasks)

    def current(self, tasks: Sequence[Task[Any]]) -> Task[Any] | None:
        """The first task that is not finished; None if all are."""
        return next((task for task in tasks if not self.finished(task)), None)

    def share(self, task: Task[Any]) -> float:
        """How much of a task is done, 0 to 1."""
        return 1.0 if self.finished(task) else self._running(task).share

    def seconds_left(self, task: Task[Any]) -> float | None:
        """At the speed so far; None before that is known."""
        return self._running(task).seconds_left

    def advance(self, tasks: Sequence[Task[Any]], seconds: float) -> None:
        """Go on with the tasks in their order for about so long."""
        with self._turn:
            self._advance(tasks, seconds)

    def _advance(self, tasks: Sequence[Task[Any]], seconds: float) -> None:
        until = time.monotonic() + seconds
        for task in tasks:
            left = until - time.monotonic()
            if left <= 0:
                return
            if self.finished(task):
                continue
            running = self._running(task)
            try:
                running.advance(left)
            except Exception:
                running.stop()
                raise
            if running.done:
                self._known.put(task.key, running.latest)
                self._under_way.pop(task.key, None)

    def stop(self, tasks: Sequence[Task[Any]]) -> None:
        """Leave the tasks at what they have."""
        for task in tasks:
            if not self.finished(task):
                self._running(task).stop()

    def go_on(self, tasks: Sequence[Task[Any]]) -> None:
        """Take the tasks up again."""
        for task in tasks:
            if not self.finished(task):
                self._running(task).go_on()

    def _running(self, task: Task[Any]) -> _Running[Any]:
        if task.key not in self._under_way:
            self._under_way[task.key] = _Running(task)
            if len(self._under_way) > _MOST_UNDER_WAY:
                self._under_way.popitem(last=False)
        return self._under_way[task.key]

"""Long work done a slice at a time, so that a page stays alive meanwhile and can stop it."""

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

_IDLE = 2.0  # seconds without work that do not count as time spent
_TELLING = 3.0, 0.05  # seconds, or share of the work: the first steps are not like the others
_MOST_UNDER_WAY = 128

State = Literal["working", "stopped", "failed", "done"]
V = TypeVar("V")


class Known(Generic[V]):
    """Values that are kept by their keys; the least recently used are forgotten.

    Sessions may share one: every method may be called from any thread.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """What is known under the key."""
        with self._turn:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
            return found

    def put(self, key: Hashable, value: V) -> None:
        """Remember a value."""
        with self._turn:
            self._put(key, value)

    def setdefault(self, key: Hashable, value: V) -> V:
        """What is known under the key; from now on that is ``value``, if nothing was."""
        with self._turn:
            if key not in self._values:
                self._put(key, value)
            self._values.move_to_end(key)
            return self._values[key]

    def drop(self, key: Hashable) -> None:
        """Forget what is known under the key, if anything."""
        with self._turn:
            self._values.pop(key, None)

    def _put(self, key: Hashable, value: V) -> None:
        self._values[key] = value
        if len(self._values) > self._most:
            self._values.popitem(last=False)


class Sliced:
    """Steps to be made. Nothing happens but in :meth:`advance`.

    A click starts a new run of the page's script while the last one may still be in a step, so
    whoever comes second waits for its turn.

    Attributes:
        stopped, done: whether the work was called off, or is finished.
        error: what a step raised. The work then stands still until it is told to go on.
        turn: held while the work is advanced or changed.
    """

    def __init__(self, start: Callable[[], Iterator[object]]) -> None:
        self.stopped = False
        self.done = False
        self.error: Exception | None = None
        self.turn = threading.RLock()
        self._start = start
        self._work = start()
        self._spent = 0.0  # seconds, with those that went into drawing the page in between
        self._last = 0.0

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        raise NotImplementedError

    @property
    def state(self) -> State:
        """How it stands with the work."""
        if self.done:
            return "done"
        return "failed" if self.error else "stopped" if self.stopped else "working"

    @property
    def working(self) -> bool:
        """Whether there is something to do and nothing in its way."""
        return self.state == "working"

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None before that is known."""
        seconds, share = _TELLING
        if self.share == 0 or (self._spent < seconds and self.share < share):
            return None
        return self._spent * (1 - self.share) / self.share

    def advance(self, seconds: float) -> None:
        """Go on for about so long, if there is work to do. At least one step is made."""
        with self.turn:
            self._advance(seconds)

    def _advance(self, seconds: float) -> None:
        start = time.monotonic()
        if start - self._last > _IDLE:
            self._last = start
        while self.working:
            self._step()
            if time.monotonic() - start >= seconds:
                break
        now = time.monotonic()
        self._spent += now - self._last
        self._last = now

    def _step(self) -> None:
        try:
            self.done = next(self._work, self) is self
        # Whatever a step raises: unless it is kept here, the steps, which cannot be gone on with,
        # would pass for finished at the next drawing of the page, or fail again at every one.
        except Exception as error:
            traceback.clear_frames(error.__traceback__)  # which would keep their tensors alive
            self.error = error

    def stop(self) -> None:
        """Leave it at what has been done."""
        self.stopped = True

    def go_on(self) -> None:
        """Take up the work again; what failed is begun anew."""
        with self.turn:
            if self.error:
                self._work, self._spent, self.error = self._start(), 0.0, None
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


class Running(Sliced, Generic[V]):
    """A task under way, which all who ask for its result share.

    Attributes:
        latest: the state it has come to.
    """

    def __init__(self, task: Task[V]) -> None:
        self.latest: V | None = None
        self._task = task
        super().__init__(self._steps)

    def _steps(self) -> Iterator[None]:
        for state in self._task.start():
            self.latest = state
            yield

    @property
    def share(self) -> float:
        return 0.0 if self.latest is None else self._task.share(self.latest)


class Bench:
    """A visitor's tasks, done one after the other.

    What is finished is kept in ``known`` and what is not in ``under_way``, which benches may share:
    then a task is done once for all who ask, by turns. To stop is to ask no more: the work rests
    when nobody asks, and another visitor's goes on.
    """

    def __init__(self, known: Known[Any], under_way: Known[Running[Any]] | None = None) -> None:
        self._known = known
        self._under_way = under_way or Known[Running[Any]](_MOST_UNDER_WAY)
        self._stopped: set[Hashable] = set()

    def latest(self, task: Task[V]) -> V | None:
        """The result, or the latest state on the way to it; None before the first."""
        found = self._known.get(task.key)
        if found is None and (running := self._under_way.get(task.key)) is not None:
            found = running.latest
        return found

    def finished(self, task: Task[Any]) -> bool:
        """Whether the result is there."""
        return self._known.get(task.key) is not None

    def failure(self, task: Task[Any]) -> Exception | None:
        """What the task raised, until it is tried again."""
        running = self._under_way.get(task.key)
        return None if running is None else running.error

    def state(self, task: Task[Any]) -> State:
        """How it stands with a task for this visitor."""
        if self.finished(task):
            return "done"
        if self.failure(task) is not None:
            return "failed"
        return "stopped" if task.key in self._stopped else "working"

    def share(self, task: Task[Any]) -> float:
        """How much of a task is done, 0 to 1."""
        running = self._under_way.get(task.key)
        return 1.0 if self.finished(task) else 0.0 if running is None else running.share

    def seconds_left(self, task: Task[Any]) -> float | None:
        """At the speed so far; None before that is known."""
        running = self._under_way.get(task.key)
        return None if running is None else running.seconds_left

    def working(self, tasks: Sequence[Task[Any]]) -> bool:
        """Whether any of the tasks has something left to do and nothing in its way."""
        return any(self.state(task) == "working" for task in tasks)

    def advance(self, tasks: Sequence[Task[Any]], seconds: float) -> None:
        """Go on with the tasks in their order for about so long."""
        until = time.monotonic() + seconds
        for task in tasks:
            left = until - time.monotonic()
            if left <= 0:
                return
            if self.state(task) == "working":
                self._advance(task, left)

    def _advance(self, task: Task[Any], seconds: float) -> None:
        running = self._under_way.setdefault(task.key, Running(task))
        # Another thread may have finished it since it was looked at; the result is put there first
        # and what was under way is dropped second, so that nothing is begun twice.
        if not self.finished(task):
            running.advance(seconds)
            if not running.done:
                return
            self._known.put(task.key, running.latest)
        self._under_way.drop(task.key)

    def stop(self, tasks: Sequence[Task[Any]]) -> None:
        """Leave the tasks at what they have."""
        self._stopped.update(task.key for task in tasks if not self.finished(task))

    def go_on(self, tasks: Sequence[Task[Any]]) -> None:
        """Take the tasks up again; what failed is begun anew."""
        for task in tasks:
            self._stopped.discard(task.key)
            if (running := self._under_way.get(task.key)) is not None:
                running.go_on()


@dataclass(frozen=True)
class Queue:
    """Tasks on a bench, seen as one piece of work."""

    bench: Bench
    tasks: Sequence[Task[Any]]

    @property
    def current(self) -> Task[Any] | None:
        """The task that is looked at: one being done, else a stopped, else a failed one."""
        by_state = {self.bench.state(task): task for task in reversed(self.tasks)}
        return by_state.get("working") or by_state.get("stopped") or by_state.get("failed")

    @property
    def failures(self) -> dict[str, Exception]:
        """What failed and was not tried again, by title."""
        return {t.title: error for t in self.tasks if (error := self.bench.failure(t)) is not None}

    @property
    def state(self) -> State:
        """How it stands with the current task."""
        return "done" if self.current is None else self.bench.state(self.current)

    @property
    def working(self) -> bool:
        """Whether any task has something left to do and nothing in its way."""
        return self.state == "working"

    @property
    def share(self) -> float:
        """How much of the current task is done, 0 to 1."""
        return 1.0 if self.current is None else self.bench.share(self.current)

    @property
    def seconds_left(self) -> float | None:
        """For the current task."""
        return None if self.current is None else self.bench.seconds_left(self.current)

    def advance(self, seconds: float) -> None:
        """Go on with the tasks in their order for about so long."""
        self.bench.advance(self.tasks, seconds)

    def stop(self) -> None:
        """Leave the tasks at what they have."""
        self.bench.stop(self.tasks)

    def go_on(self) -> None:
        """Take the tasks up again."""
        self.bench.go_on(self.tasks)

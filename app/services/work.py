"""Long work in steps, which threads of the server make and pages read.

See :mod:`app.services.scheduler`, which calls ``advance``."""

import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from app.services import byte_cache
from app.services.byte_cache import Box

_IDLE = 2.0  # seconds; a longer pause does not count as time spent
_MEASURED = 3.0, 0.05  # seconds, or share done, after which the speed is known well enough
_MOST_UNDER_WAY = 128

State = Literal["working", "stopped", "failed", "done"]
V = TypeVar("V")


class Known(Generic[V]):
    """A cache of values by key, which drops the least recently used ones.

    The values are within the budget in bytes of all caches, so one may leave before there are
    ``most``. Sessions may share a cache: every method may be called from any thread.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._boxes: OrderedDict[Hashable, Box[V]] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """Return the value of the key; None if there is none."""
        with self._turn:
            return self._get(key)

    def put(self, key: Hashable, value: V) -> None:
        """Keep a value."""
        with self._turn:
            self._put(key, value)

    def setdefault(self, key: Hashable, value: V) -> V:
        """Return the value of the key; keep and return ``value`` if there is none."""
        with self._turn:
            found = self._get(key)
            if found is None:
                self._put(key, value)
            return value if found is None else found

    def drop(self, key: Hashable) -> None:
        """Drop the value of the key, if there is one."""
        with self._turn:
            self._drop(key)

    def _get(self, key: Hashable) -> V | None:
        box = self._boxes.get(key)
        content = box.content if box is not None and byte_cache.BUDGET.use(box) else None
        if content is None:
            self._drop(key)
            return None
        self._boxes.move_to_end(key)
        return content[0]

    def _put(self, key: Hashable, value: V) -> None:
        self._drop(key)
        self._boxes[key] = byte_cache.BUDGET.keep(value)
        if len(self._boxes) > self._most:
            self._drop(next(iter(self._boxes)))

    def _drop(self, key: Hashable) -> None:
        if (box := self._boxes.pop(key, None)) is not None:
            byte_cache.BUDGET.empty(box)


class Sliced:
    """Work in steps, which are made by :meth:`advance` only.

    Two threads may want the same work at once, and a page changes what a thread works on. A lock
    makes the second one wait.

    Attributes:
        stopped, done: whether the work was stopped, or is finished.
        error: the exception that a step raised. The work then waits for :meth:`go_on`.
        turn: the lock, held while the work is advanced or changed.
    """

    def __init__(self, start: Callable[[], Iterator[object]]) -> None:
        self.stopped = False
        self.done = False
        self.error: Exception | None = None
        self.turn = threading.RLock()
        self._start = start
        self._work = start()
        self._spent = 0.0  # seconds, including the time to draw the page in between
        self._last = 0.0

    @property
    def share(self) -> float:
        """Share of the work that is done, 0 to 1."""
        raise NotImplementedError

    @property
    def state(self) -> State:
        """State of the work."""
        if self.done:
            return "done"
        return "failed" if self.error else "stopped" if self.stopped else "working"

    @property
    def working(self) -> bool:
        """Whether steps are left and the work has neither been stopped nor failed."""
        return self.state == "working"

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds left at the speed so far; None before the speed is known."""
        seconds, share = _MEASURED
        if self.share == 0 or (self._spent < seconds and self.share < share):
            return None
        return self._spent * (1 - self.share) / self.share

    def advance(self, seconds: float) -> None:
        """Make steps for about ``seconds``, at least one, unless the work stands still."""
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
        # Every exception is kept. A generator that raised cannot continue: without the error, the
        # work would look finished the next time the page is drawn, or fail again every time.
        except Exception as error:
            traceback.clear_frames(error.__traceback__)  # frames would keep their tensors alive
            self.error = error

    def stop(self) -> None:
        """Stop, and keep what has been done."""
        self.stopped = True

    def go_on(self) -> None:
        """Continue the work after a stop; start it again after a failure.

        It does not wait for a step that is under way, which may take long: work that failed makes
        none.
        """
        if self.error:
            with self.turn:
                if self.error:
                    self._work, self._spent, self.error = self._start(), 0.0, None
        self.stopped = False


@dataclass(frozen=True)
class Task(Generic[V]):
    """A computation that yields better and better states; the last state is the result.

    Attributes:
        key: identifies the result: equal keys give equal results.
        title: names the computation in a progress bar: "Refitting the planar flow".
        start: starts the computation. Each state is a new object, not the last one changed.
        share: share of the work that is done in a state, 0 to 1.
    """

    key: Hashable
    title: str
    start: Callable[[], Iterator[V]]
    share: Callable[[V], float]


class Running(Sliced, Generic[V]):
    """A task under way, shared by all sessions that want its result.

    Attributes:
        latest: the latest state; None before the first.
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
    """The tasks of one session, done one after another.

    Results are kept in ``known``, unfinished tasks in ``under_way``. Sessions can share both; a
    task that several sessions want is then done once. Stopping affects this session only: a task
    pauses when no session wants it.
    """

    def __init__(self, known: Known[Any], under_way: Known[Running[Any]] | None = None) -> None:
        self._known = known
        self._under_way = under_way or Known[Running[Any]](_MOST_UNDER_WAY)
        self._stopped: set[Hashable] = set()

    def latest(self, task: Task[V]) -> V | None:
        """Return the result of a task, or its latest state; None before the first state."""
        found = self._known.get(task.key)
        if found is None and (running := self._under_way.get(task.key)) is not None:
            found = running.latest
        return found

    def finished(self, task: Task[Any]) -> bool:
        """Whether the task's result is known."""
        return self._known.get(task.key) is not None

    def failure(self, task: Task[Any]) -> Exception | None:
        """Return the exception that the task raised; None once it is tried again."""
        running = self._under_way.get(task.key)
        return None if running is None else running.error

    def state(self, task: Task[Any]) -> State:
        """Return the state of a task in this session."""
        if self.finished(task):
            return "done"
        if self.failure(task) is not None:
            return "failed"
        return "stopped" if task.key in self._stopped else "working"

    def share(self, task: Task[Any]) -> float:
        """Share of a task that is done, 0 to 1."""
        running = self._under_way.get(task.key)
        return 1.0 if self.finished(task) else 0.0 if running is None else running.share

    def seconds_left(self, task: Task[Any]) -> float | None:
        """Estimated seconds left at the speed so far; None before the speed is known."""
        running = self._under_way.get(task.key)
        return None if running is None else running.seconds_left

    def working(self, tasks: Sequence[Task[Any]]) -> bool:
        """Whether any of the tasks has steps left and has neither been stopped nor failed."""
        return any(self.state(task) == "working" for task in tasks)

    def advance(self, tasks: Sequence[Task[Any]], seconds: float) -> None:
        """Work on the tasks in their order for about ``seconds``."""
        until = time.monotonic() + seconds
        for task in tasks:
            left = until - time.monotonic()
            if left <= 0:
                return
            if self.state(task) == "working":
                self._advance(task, left)

    def _advance(self, task: Task[Any], seconds: float) -> None:
        running = self._under_way.setdefault(task.key, Running(task))
        # Another thread may have finished the task since its state was read. The result is kept
        # before the running task is dropped, so that no task is started twice.
        if not self.finished(task):
            running.advance(seconds)
            if not running.done:
                return
            self._known.put(task.key, running.latest)
        self._under_way.drop(task.key)

    def stop(self, tasks: Sequence[Task[Any]]) -> None:
        """Stop the tasks in this session; their latest states are kept."""
        self._stopped.update(task.key for task in tasks if not self.finished(task))

    def go_on(self, tasks: Sequence[Task[Any]]) -> None:
        """Continue the tasks after a stop; start those that failed again."""
        for task in tasks:
            self._stopped.discard(task.key)
            if (running := self._under_way.get(task.key)) is not None:
                running.go_on()


@dataclass(frozen=True)
class Queue:
    """Tasks on a bench, treated as one piece of work."""

    bench: Bench
    tasks: Sequence[Task[Any]]

    @property
    def current(self) -> Task[Any] | None:
        """The first task under way, else the first stopped one, else the first failed one."""
        by_state = {self.bench.state(task): task for task in reversed(self.tasks)}
        return by_state.get("working") or by_state.get("stopped") or by_state.get("failed")

    @property
    def failures(self) -> dict[str, Exception]:
        """Errors of the tasks that failed and were not tried again, by title."""
        return {t.title: error for t in self.tasks if (error := self.bench.failure(t)) is not None}

    @property
    def state(self) -> State:
        """State of the current task."""
        current = self.current
        return "done" if current is None else self.bench.state(current)

    @property
    def working(self) -> bool:
        """Whether any task has steps left and has neither been stopped nor failed."""
        return self.state == "working"

    @property
    def share(self) -> float:
        """Share of the current task that is done, 0 to 1."""
        current = self.current
        return 1.0 if current is None else self.bench.share(current)

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds left of the current task."""
        current = self.current
        return None if current is None else self.bench.seconds_left(current)

    def advance(self, seconds: float) -> None:
        """Work on the tasks in their order for about ``seconds``."""
        self.bench.advance(self.tasks, seconds)

    def stop(self) -> None:
        """Stop the tasks; their latest states are kept."""
        self.bench.stop(self.tasks)

    def go_on(self) -> None:
        """Continue the tasks after a stop or a failure."""
        self.bench.go_on(self.tasks)

"""Long work in slices: it goes on, stops, is taken up again, and nothing is done twice."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.work import Bench, Known, Sliced, Task


class Counted:
    """A task of so many steps, and how often it was begun and how far it came."""

    def __init__(self, name: str, steps: int, seconds: float = 0.0) -> None:
        self.begun = 0
        self.reached = 0
        self.task = Task(name, name, lambda: self._run(steps, seconds), lambda s: s / steps)

    def _run(self, steps: int, seconds: float) -> Iterator[int]:
        self.begun += 1
        for self.reached in range(1, steps + 1):
            time.sleep(seconds)
            yield self.reached


def fresh() -> Bench:
    return Bench(Known(10))


def test_a_task_is_done_in_slices_and_its_result_is_kept() -> None:
    bench, work = fresh(), Counted("a", 5, 0.01)
    tasks = [work.task]
    assert bench.latest(work.task) is None
    bench.advance(tasks, 0.025)
    assert 0 < work.reached < 5
    assert bench.working(tasks)
    assert bench.share(work.task) == work.reached / 5
    assert bench.seconds_left(work.task) is not None
    while bench.working(tasks):
        bench.advance(tasks, 0.025)
    assert bench.latest(work.task) == 5
    assert bench.share(work.task) == 1
    bench.advance(tasks, 1)
    assert work.begun == 1


def test_tasks_are_done_in_their_order() -> None:
    bench, first, second = fresh(), Counted("a", 3), Counted("b", 3)
    tasks = [first.task, second.task]
    bench.advance(tasks, 1e-9)
    assert bench.current(tasks) is first.task
    bench.advance(tasks, 1)
    assert bench.current(tasks) is None
    assert second.reached == 3


def test_stopped_work_keeps_what_it_has_until_it_is_taken_up_again() -> None:
    bench, work = fresh(), Counted("a", 100, 0.002)
    bench.advance([work.task], 0.01)
    bench.stop([work.task])
    reached = work.reached
    bench.advance([work.task], 0.01)
    assert bench.latest(work.task) == reached == work.reached
    assert bench.stopped(work.task)
    assert not bench.working([work.task])
    bench.go_on([work.task])
    bench.advance([work.task], 1)
    assert bench.latest(work.task) == 100
    assert work.begun == 1


def test_a_task_added_to_stopped_ones_is_done_all_the_same() -> None:
    bench, old, new = fresh(), Counted("a", 3), Counted("b", 3)
    bench.stop([old.task])
    tasks = [old.task, new.task]
    assert bench.working(tasks)
    bench.advance(tasks, 1)
    assert new.reached == 3
    assert old.reached == 0


def test_results_are_shared_by_all_benches_of_the_same_memory() -> None:
    known: Known[int] = Known(10)
    one, other = Counted("a", 3), Counted("a", 3)
    Bench(known).advance([one.task], 1)
    assert Bench(known).latest(other.task) == 3
    assert other.begun == 0


def test_the_oldest_results_are_forgotten() -> None:
    known: Known[int] = Known(2)
    for value in range(3):
        known.put(value, value)
        known.get(0)
    assert [known.get(key) for key in range(3)] == [0, None, 2]


def test_work_that_breaks_is_not_tried_again_and_again() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken")

    task = Task("a", "a", broken, lambda _: 0.5)
    bench = fresh()
    with pytest.raises(RuntimeError, match="broken"):
        bench.advance([task], 1)
    assert not bench.working([task])
    assert bench.latest(task) == 1


@pytest.mark.parametrize("kind", ["bench", "sliced"])
def test_two_runs_of_a_page_take_turns(kind: str) -> None:
    """A click starts a new run of the script while the last one may be in the middle of a step."""
    work = Counted("a", 40, 0.002)
    bench, alone = fresh(), Sliced(work.task.start())

    def draw(_: int) -> None:
        if kind == "bench":
            bench.advance([work.task], 0.02)
        else:
            alone.advance(0.02)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(draw, range(40)))  # or raises what a thread raised
    assert work.reached == 40
    assert work.begun == 1

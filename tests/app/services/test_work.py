"""Long work in slices: it goes on, stops, is taken up again, and nothing is done twice."""

import threading
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.services.work import Bench, Known, Queue, Running, Sliced, Task


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


def test_stopped_work_is_taken_up_without_waiting_for_the_step_under_way() -> None:
    begun, free = threading.Event(), threading.Event()

    def steps() -> Iterator[int]:
        begun.set()
        assert free.wait(60)
        yield 1

    work = Running(Task("a", "a", steps, float))
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(work.advance, 1.0)
        assert begun.wait(60)
        work.stop()
        work.go_on()  # by a page, whose visitor would wait
        assert not under_way.done()
        assert work.working
        free.set()
    assert work.done


def test_tasks_are_done_in_their_order() -> None:
    bench, first, second = fresh(), Counted("a", 3, 2e-3), Counted("b", 3)
    tasks = [first.task, second.task]
    bench.advance(tasks, 1e-3)
    assert (first.reached, second.reached) == (1, 0)
    assert Queue(bench, tasks).current is first.task
    bench.advance(tasks, 1)
    assert Queue(bench, tasks).current is None
    assert second.reached == 3


def test_stopped_work_keeps_what_it_has_until_it_is_taken_up_again() -> None:
    bench, work = fresh(), Counted("a", 100, 0.002)
    bench.advance([work.task], 0.01)
    bench.stop([work.task])
    reached = work.reached
    bench.advance([work.task], 0.01)
    assert bench.latest(work.task) == reached == work.reached
    assert bench.state(work.task) == "stopped"
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


class Breaking:
    """A task that breaks until it is mended."""

    def __init__(self) -> None:
        self.begun = 0
        self.whole = False
        self.task = Task("a", "a", self._run, lambda state: state / 2)

    def _run(self) -> Iterator[int]:
        self.begun += 1
        yield 1
        if not self.whole:
            raise RuntimeError("broken")
        yield 2


def test_work_that_breaks_is_not_tried_again_until_it_is_told_to() -> None:
    bench, work, other = fresh(), Breaking(), Counted("b", 3)
    tasks = [work.task, other.task]
    for _ in range(3):
        bench.advance(tasks, 1)
    assert work.begun == 1
    assert str(bench.failure(work.task)) == "broken"
    assert bench.latest(work.task) == 1
    assert bench.finished(other.task)
    queue = Queue(bench, tasks)
    assert (queue.state, queue.working) == ("failed", False)
    assert list(queue.failures) == ["a"]
    work.whole = True
    queue.go_on()
    assert queue.working
    queue.advance(1)
    assert (queue.state, bench.latest(work.task)) == ("done", 2)
    assert work.begun == 2
    assert not queue.failures


def test_steps_that_broke_do_not_pass_for_finished() -> None:
    work = Breaking()
    alone = Sliced(work.task.start)
    alone.advance(1)
    alone.advance(1)
    assert (alone.state, str(alone.error)) == ("failed", "broken")
    alone.go_on()
    assert alone.working


def test_what_failed_keeps_none_of_its_memory() -> None:
    class Large:
        pass

    kept: list[weakref.ref[Large]] = []

    def broken() -> Iterator[int]:
        large = Large()
        kept.append(weakref.ref(large))
        raise RuntimeError("broken")
        yield 1

    alone = Sliced(broken)
    alone.advance(1)
    assert alone.error is not None
    assert kept[0]() is None


# ---- sessions


def two_windows() -> tuple[Bench, Bench]:
    known, under_way = Known[int](10), Known[Running](10)
    return Bench(known, under_way), Bench(known, under_way)


def test_a_second_window_goes_on_with_what_the_first_has_begun() -> None:
    (one, other), first, second = two_windows(), Counted("a", 10, 0.005), Counted("a", 10, 0.005)
    one.advance([first.task], 0.02)
    assert 0 < first.reached < 10
    assert other.latest(second.task) == first.reached
    assert other.share(second.task) == first.reached / 10
    other.advance([second.task], 1)
    assert (first.reached, second.begun) == (10, 0)
    assert one.latest(first.task) == 10


def test_who_stops_stops_for_himself() -> None:
    (one, other), work = two_windows(), Counted("a", 100, 0.002)
    one.advance([work.task], 0.01)
    one.stop([work.task])
    assert other.working([work.task])
    reached = work.reached
    one.advance([work.task], 0.01)
    assert work.reached == reached
    other.advance([work.task], 1)
    assert one.latest(work.task) == 100
    assert one.state(work.task) == "done"


def test_what_failed_in_one_window_failed_in_all() -> None:
    (one, other), work = two_windows(), Breaking()
    one.advance([work.task], 1)
    other.advance([work.task], 1)
    assert work.begun == 1
    assert other.failure(work.task) is one.failure(work.task) is not None


def test_the_work_begun_that_nobody_asked_for_longest_is_forgotten() -> None:
    under_way = Known[Running](2)
    bench = Bench(Known(10), under_way)
    works = [Counted(name, 100, 0.002) for name in "abc"]
    for work in works:
        bench.advance([work.task], 1e-3)
        bench.latest(works[0].task)
    assert [bench.latest(work.task) for work in works] == [1, None, 1]


def test_windows_take_turns_and_begin_nothing_twice() -> None:
    known, under_way = Known[int](100), Known[Running](100)
    works = [Counted(f"{n}", 5, 0.001) for n in range(20)]
    tasks = [work.task for work in works]

    def visit(_: int) -> None:
        bench = Bench(known, under_way)
        while bench.working(tasks):
            bench.advance(tasks, 0.002)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(visit, range(6)))  # or raises what a thread raised
    assert {work.begun for work in works} == {1}
    assert {work.reached for work in works} == {5}


@pytest.mark.parametrize("kind", ["bench", "sliced"])
def test_two_runs_of_a_page_take_turns(kind: str) -> None:
    """A click starts a new run of the script while the last one may be in the middle of a step."""
    work = Counted("a", 40, 0.002)
    bench, alone = fresh(), Sliced(work.task.start)

    def draw(_: int) -> None:
        if kind == "bench":
            bench.advance([work.task], 0.02)
        else:
            alone.advance(0.02)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(draw, range(40)))  # or raises what a thread raised
    assert work.reached == 40
    assert work.begun == 1

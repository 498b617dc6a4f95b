"""Long work by threads of the server: by turns, until it is done, stopped or nobody wants it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest
import torch

from app.services.scheduler import Scheduler
from vae_core.basics import threads

PATIENCE = 60.0  # seconds; reached only when something is broken


class Counting:
    """Work of so many slices; ``gate`` must be open for a slice to begin."""

    def __init__(self, slices: int, told: list[str] | None = None, name: str = "") -> None:
        self.left = slices
        self.made = 0
        self.stopped = False
        self.gate = threading.Event()
        self.gate.set()
        self._told, self._name = told, name

    @property
    def working(self) -> bool:
        return self.left > 0 and not self.stopped

    def advance(self, seconds: float) -> None:
        assert self.gate.wait(PATIENCE)
        if self._told is not None:
            self._told.append(self._name)
        self.left -= 1
        self.made += 1


ENDLESS = 10**9


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(1e-3)


def test_work_is_done_without_a_page() -> None:
    work = Counting(5)
    scheduler = Scheduler()
    scheduler.want("ann", "score", work)
    scheduler.wait(work, PATIENCE)
    assert work.made == 5


def test_visitors_are_served_by_turns() -> None:
    told: list[str] = []
    first, second = Counting(20, told, "first"), Counting(20, told, "second")
    first.gate.clear()  # until both are in the line
    scheduler = Scheduler(threads=1)
    scheduler.want("ann", "score", first)
    scheduler.want("bob", "score", second)
    first.gate.set()
    scheduler.wait(first, PATIENCE)
    scheduler.wait(second, PATIENCE)
    assert told[:40] == ["first", "second"] * 20


class Unreadable(Counting):
    """Work whose state cannot be read."""

    @property
    def working(self) -> bool:
        raise RuntimeError("no state")


def test_work_whose_state_cannot_be_read_leaves_the_threads_to_others() -> None:
    scheduler, other = Scheduler(threads=1), Counting(3)
    scheduler.want("ann", "score", Unreadable(3))
    scheduler.want("bob", "score", other)
    scheduler.wait(other, PATIENCE)
    assert other.made == 3


def test_work_that_is_stopped_rests_until_it_is_wanted_again() -> None:
    work = Counting(ENDLESS)
    scheduler = Scheduler()
    scheduler.want("ann", "score", work)
    until(lambda: work.made > 2)
    work.stopped = True
    scheduler.wait(work, PATIENCE)
    settled(work)
    work.stopped, made = False, work.made
    scheduler.want("ann", "score", work)
    until(lambda: work.made > made)
    scheduler.leave("ann")


def test_work_rests_when_its_visitor_leaves_and_that_of_others_goes_on() -> None:
    mine, other = Counting(ENDLESS), Counting(ENDLESS)
    scheduler = Scheduler()
    scheduler.want("ann", "score", mine)
    scheduler.want("bob", "score", other)
    until(lambda: mine.made > 0 < other.made)
    scheduler.leave("ann")
    settled(mine)
    made = other.made
    until(lambda: other.made > made)
    scheduler.leave("bob")


def test_what_an_earlier_script_of_a_page_still_wants_is_not_done() -> None:
    """A script that is told to end runs on until it next draws something."""
    first, second = Counting(ENDLESS), Counting(ENDLESS)
    scheduler = Scheduler()
    scheduler.enter("ann", 1)
    scheduler.enter("ann", 2)
    scheduler.want("ann", "score", second, visit=2)
    scheduler.enter("ann", 1)
    scheduler.want("ann", "score", first, visit=1)
    until(lambda: second.made > 2)
    assert first.made == 0
    scheduler.enter("ann", 3)
    settled(second)


def test_threads_end_with_the_slice_that_is_under_way() -> None:
    work, scheduler = Counting(ENDLESS), Scheduler()
    scheduler.want("ann", "score", work)
    until(lambda: work.made > 0)
    scheduler.close()
    made = work.made
    scheduler.want("ann", "score", work)
    settled(work)
    assert work.made == made


def test_work_in_the_place_of_other_work_replaces_it() -> None:
    before, after = Counting(ENDLESS), Counting(ENDLESS)
    scheduler = Scheduler()
    scheduler.want("ann", "score", before)
    until(lambda: before.made > 0)
    scheduler.want("ann", "score", after)
    settled(before)
    until(lambda: after.made > 0)
    scheduler.leave("ann")


def test_what_was_left_waits_for_what_is_on_a_screen() -> None:
    told: list[str] = []
    left, shown = Counting(3, told, "left"), Counting(3, told, "shown")
    shown.gate.clear()
    scheduler = Scheduler(threads=1)
    scheduler.want("ann", "score", shown)
    scheduler.keep("batch", left)
    shown.gate.set()
    scheduler.wait(left, PATIENCE)
    assert told == ["shown"] * 3 + ["left"] * 3


def test_what_was_asked_to_go_on_does_so_when_its_visitor_has_left() -> None:
    work = Counting(200)
    scheduler = Scheduler()
    scheduler.want("ann", "score", work)
    scheduler.keep("batch", work)
    scheduler.leave("ann")
    scheduler.wait(work, PATIENCE)
    assert work.left <= 0


def test_a_bug_in_one_work_does_not_end_the_others(caplog) -> None:
    class Broken(Counting):
        def advance(self, seconds: float) -> None:
            raise RuntimeError("broken on purpose")

    scheduler, good = Scheduler(threads=1), Counting(3)
    scheduler.want("ann", "score", Broken(1))
    scheduler.want("bob", "score", good)
    scheduler.wait(good, PATIENCE)
    assert good.made == 3
    assert "broken on purpose" in caplog.text


def settled(work: Counting) -> None:
    """Check that, but for slices under way, no more of the work is done."""
    time.sleep(0.1)
    made = work.made
    time.sleep(0.05)
    assert work.made == made


def test_work_that_is_wanted_and_kept_takes_one_thread_only() -> None:
    shared, other = Counting(ENDLESS), Counting(3)
    shared.gate.clear()
    scheduler = Scheduler(threads=2)
    scheduler.keep("batch", shared)
    scheduler.want("ann", "score", shared)
    scheduler.want("bob", "score", other)
    scheduler.wait(other, PATIENCE)
    assert other.made == 3, "though the shared work is in the middle of a slice"
    scheduler.leave("ann")
    scheduler.release("batch")
    shared.gate.set()


def test_what_was_asked_to_go_on_rests_once_it_is_released() -> None:
    work, scheduler = Counting(ENDLESS), Scheduler()
    scheduler.keep("batch", work)
    until(lambda: work.made > 0)
    scheduler.release("batch")
    settled(work)


@pytest.mark.slow
def test_a_program_ends_well_in_the_middle_of_work() -> None:
    program = """
import torch
from app.services.scheduler import scheduler

class Endless:
    working = True
    def advance(self, seconds):
        x = torch.randn(300, 300, requires_grad=True)
        (x @ x).sum().backward()
        print("a slice", flush=True)

for name in range(3):
    scheduler().want("ann", name, Endless())
scheduler().wait(Endless(), 1.0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "a slice" in done.stdout


class Measured(Counting):
    """Work that notes how many threads PyTorch may take in each slice."""

    def __init__(self, slices: int) -> None:
        super().__init__(slices)
        self.threads: list[int] = []

    def advance(self, seconds: float) -> None:
        self.threads.append(torch.get_num_threads())
        super().advance(seconds)


def test_work_alone_has_all_cores_and_works_at_once_share_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "_available", lambda: 6)
    scheduler = Scheduler(threads=2)
    first, second = Measured(50), Measured(1)
    first.gate.clear()

    scheduler.want("ann", "score", first)
    until(lambda: len(first.threads) == 1)
    scheduler.want("bob", "score", second)
    until(lambda: not second.working)
    first.gate.set()
    until(lambda: not first.working)
    scheduler.close()
    torch.set_num_threads(before)  # of threads to come

    assert second.threads == [3]
    assert (first.threads[0], first.threads[-1]) == (6, 6)


def test_a_visitor_who_leaves_as_a_slice_begins_ends_no_thread() -> None:
    class Leaving(Scheduler):
        def _next(self):
            found = super()._next()
            self.leave("ann")
            return found

    before = torch.get_num_threads()
    scheduler, first, second = Leaving(threads=1), Counting(1), Counting(2)
    scheduler.want("ann", "score", first)
    until(lambda: not first.working)
    scheduler.want("bob", "score", second)
    until(lambda: not second.working)
    scheduler.close()
    torch.set_num_threads(before)  # of threads to come

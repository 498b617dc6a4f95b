"""Long work on a page: what is waited for before it is drawn, and what is not."""

import threading
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from app.parts import live
from app.services.scheduler import Scheduler, scheduler
from app.services.work import State

PATIENCE = 60.0  # seconds; reached only when something is broken


class Steps:
    """Work of ten steps, that writes down what happens."""

    state: State = "working"
    seconds_left: float | None = None

    def __init__(self, made: int) -> None:
        self.made = made
        self.drawn: list[int] = []  # steps that were made at each draw
        self.begun = threading.Event()
        self.may_end = threading.Event()

    @property
    def working(self) -> bool:
        return self.made < 10

    @property
    def share(self) -> float:
        return self.made / 10

    def advance(self, seconds: float) -> None:
        self.begun.set()
        assert self.may_end.wait(PATIENCE)
        self.made += 1

    def stop(self) -> None: ...
    def go_on(self) -> None: ...


def shown(work: Steps) -> None:
    """Run a page that watches the work."""

    def page(work) -> None:
        from app.parts import live

        live.watch(work, lambda: work.drawn.append(work.made), "steps")

    run = AppTest.from_function(page, args=(work,)).run()
    assert not run.exception


@pytest.fixture
def work() -> Iterator[Steps]:
    work = Steps(made=0)
    yield work
    work.may_end.set()
    scheduler().leave("test session id")  # as Streamlit calls it


def test_short_work_is_waited_for_and_appears_finished(
    work: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PATIENCE", PATIENCE)
    work.may_end.set()
    shown(work)
    assert work.drawn == [10]


def test_long_work_is_drawn_while_it_goes_on(work: Steps) -> None:
    shown(work)
    assert work.begun.wait(PATIENCE)
    assert work.drawn == [0]


def test_work_begun_on_an_earlier_visit_is_drawn_at_once(
    work: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PATIENCE", 2 * PATIENCE)
    work.made = 4
    shown(work)
    assert work.drawn == [4]
    assert work.begun.wait(PATIENCE), "and it goes on"


def test_finished_work_is_only_drawn(work: Steps) -> None:
    work.made = 10
    shown(work)
    assert work.drawn == [10]
    assert not work.begun.is_set()


def test_a_tick_asks_again_for_work_that_was_forgotten(
    work: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks: list[Callable[[], None]] = []

    def fragment(tick: Callable[[], None], run_every: float | None) -> Callable[[], None]:
        assert run_every
        ticks.append(tick)
        return tick

    monkeypatch.setattr(live, "PATIENCE", 0.0)
    monkeypatch.setattr(live.st, "fragment", fragment)
    work.may_end.set()
    monkeypatch.setattr(Scheduler, "want", lambda *_: None)  # as for an earlier script of the page
    shown(work)
    assert not work.begun.wait(0.1)
    monkeypatch.undo()
    ticks[-1]()
    assert work.begun.wait(PATIENCE)


def test_a_second_press_of_stop_does_not_go_on() -> None:
    """A click that crosses a redraw can arrive twice; it is for the button that was there."""
    drawn = []
    for state in ("working", "stopped"):
        work = Steps(made=3 if state == "working" else 10)
        work.state = state

        def page(work) -> None:
            from app.parts import live

            live.control(work, "3 of 10", "steps")

        drawn.append(AppTest.from_function(page, args=(work,)).run().button[0].key)
    assert drawn == ["steps-stop", "steps-go-on"]


def test_work_that_ends_while_its_page_is_drawn_has_no_progress_and_no_button() -> None:
    work = Steps(made=10)
    work.state = "done"

    def page(work) -> None:
        from app.parts import live

        live.control(work, "9 of 10", "steps")

    run = AppTest.from_function(page, args=(work,)).run()
    assert not run.exception
    assert not run.button
    assert not run.get("progress")

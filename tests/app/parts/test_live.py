"""Long work on a page: what is done before it is drawn, and what after."""

from streamlit.testing.v1 import AppTest

from app.services.work import State


class Steps:
    """Work of ten steps, that writes down what happens."""

    state: State = "working"
    seconds_left: float | None = None

    def __init__(self, made: int) -> None:
        self.made = made
        self.happened: list[str] = []

    @property
    def working(self) -> bool:
        return self.made < 10

    @property
    def share(self) -> float:
        return self.made / 10

    def advance(self, seconds: float) -> None:
        self.made += 1
        self.happened.append("advance")

    def stop(self) -> None: ...
    def go_on(self) -> None: ...


def shown(work: Steps) -> None:
    """Run a page that watches the work."""

    def page(work) -> None:
        from app.parts import live

        live.watch(work, lambda: work.happened.append("draw"))

    run = AppTest.from_function(page, args=(work,)).run()
    assert not run.exception


def test_new_work_is_begun_before_it_is_drawn() -> None:
    work = Steps(made=0)
    shown(work)
    assert work.happened == ["advance", "draw", "advance"]


def test_work_begun_on_an_earlier_visit_is_drawn_at_once() -> None:
    work = Steps(made=4)
    shown(work)
    assert work.happened == ["draw"]


def test_finished_work_is_only_drawn() -> None:
    work = Steps(made=10)
    shown(work)
    assert work.happened == ["draw"]

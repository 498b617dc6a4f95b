"""A reload of a page, or a second window, goes on with the work that is under way."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.services.gradient_work import Estimates
from app.services.scheduler import scheduler

PAGE = Path(__file__).resolve().parents[3] / "app" / "views" / "gradients" / "page.py"
QUICK = {"gradient-r": "100", "gradient-upto": "8", "gradient-count": "2"}
TIMEOUT = 120  # seconds; the first page imports torch


@pytest.fixture(autouse=True)
def fresh_server() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    scheduler().leave("test session id")  # as Streamlit calls it


def window(**query: str) -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=TIMEOUT)
    for key, value in (QUICK | query).items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def bars(app: AppTest) -> list[Any]:
    return [element.proto for element in app.get("progress")]


def made(app: AppTest) -> int:
    """How many estimates the page says there are."""
    (bar,) = bars(app)
    found = re.match(r"([\d,]+) of", bar.text)
    assert found is not None, bar.text
    return int(found[1].replace(",", ""))


def later(app: AppTest, reached: Callable[[AppTest], object]) -> None:
    """Draw the page again and again, as its clock does, which does not run here."""
    end = time.monotonic() + TIMEOUT
    while not reached(app):
        assert time.monotonic() < end, "waited in vain"
        app.run()


@pytest.mark.slow
def test_a_new_window_goes_on_with_the_estimates_of_the_last() -> None:
    query = {"gradient-r": "1000", "gradient-upto": "128"}
    first = window(**query)
    begun = made(first)
    later(first, lambda app: made(app) > begun)
    again = window(**query)
    assert made(again) >= made(first)
    later(again, lambda app: made(app) > made(first))


@pytest.mark.slow
def test_stop_in_one_window_leaves_the_other_at_work() -> None:
    query = {"gradient-r": "1000", "gradient-upto": "128"}
    one, other = window(**query), window(**query)
    one.button(key="gradient-stop").click().run()
    assert one.button(key="gradient-go-on").label == "Go on"
    stood = made(one)
    later(other, lambda app: made(app) > stood)
    assert other.button(key="gradient-stop").label == "Stop"


def test_without_an_estimator_there_is_one_sentence_and_no_chart() -> None:
    names = ("pathwise", "sticking-the-landing", "score-function", "score-function-baseline")
    app = window(**dict.fromkeys(names, "false"))
    assert [each.value for each in app.info] == [
        "Tick an estimator to see how noisy its gradient is."
    ]
    assert not app.get("plotly_chart")
    app.checkbox(key="pathwise").check().run()
    assert app.get("plotly_chart")
    assert not app.info


def test_what_failed_is_said_in_a_sentence_and_tried_again_when_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Estimates, cell: object) -> float:
        raise RuntimeError(f"a secret detail of {cell}")

    with monkeypatch.context() as patch:
        patch.setattr(Estimates, "add_to", broken)
        app = window()
        later(app, lambda app: app.error)
    (said,) = [each.value for each in app.error]
    assert "Something went wrong" in said
    assert "secret" not in said
    logged = [record for record in caplog.records if record.name == "elbo_room"]
    assert len(logged) == 1
    assert app.button(key="gradient-go-on").label == "Try again"
    app.button(key="gradient-go-on").click().run()
    assert not app.error
    later(app, lambda app: made(app) > 0)


def lab(begun: list[str]) -> None:
    """A page with one long task, one that breaks, and one that is quick."""
    import time

    import streamlit as st

    from app.parts import live
    from app.services.work import Task

    def long():
        for state in range(1, 101):
            time.sleep(0.01)
            yield state

    def broken():
        begun.append("broken")
        yield 1
        raise RuntimeError("a secret detail")

    tasks = [
        Task("broken", "Breaking", broken, lambda _: 0.5),
        Task("long", "Counting", long, lambda state: state / 100),
    ]
    live.panel(tasks, lambda bench: st.write(f"at {bench.latest(tasks[1])}"), "lab")


def opened(begun: list[str]) -> AppTest:
    app = AppTest.from_function(lab, default_timeout=TIMEOUT, args=(begun,)).run()
    assert not app.exception
    return app


def reached(app: AppTest) -> int:
    return int(app.markdown[-1].value.removeprefix("at "))


def test_a_reload_goes_on_with_a_task() -> None:
    first = opened([])
    assert 0 < reached(first) < 100
    assert reached(opened([])) > reached(first)


def test_a_broken_task_holds_up_no_other_and_is_said_once() -> None:
    begun: list[str] = []
    app = opened(begun)
    later(app, lambda app: reached(app) == 100)
    said = [each.value for each in app.error]
    assert len(said) == 1, said
    assert said[0].startswith("Breaking: Something went wrong")
    assert len(begun) == 1
    later(app, lambda app: "lab-go-on" in {each.key for each in app.button})
    button = app.button(key="lab-go-on")
    assert button.label == "Try again"
    button.click().run()
    later(app, lambda _: len(begun) == 2)

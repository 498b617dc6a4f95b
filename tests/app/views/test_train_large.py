"""The Train page asks back before a large run, and bounds the queue."""

import pytest
from streamlit.testing.v1 import AppTest

from app.services import runs
from tests.app.views.opening import opened
from vae_core.basics import memory
from vae_core.runs.store import RunStore

pytestmark = pytest.mark.slow


def page() -> AppTest:
    return opened("train")


def press(app: AppTest, key: str) -> None:
    app.session_state["train-started"] = None  # no double click
    app.button(key=key).click().run()
    assert not app.exception


def test_a_run_of_more_than_half_the_memory_starts_only_after_a_second_click(
    idle_store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = page()
    with monkeypatch.context() as patch:
        patch.setattr(memory, "memory_of", lambda _: 1_000_000)
        from app.views.train import estimate

        estimate._memory.cache_clear()
        press(app, "start")
        assert idle_store.runs() == []
        assert app.warning[-1].value.startswith("This run would take about ")
        press(app, "start-anyway")
        estimate._memory.cache_clear()
    assert len(idle_store.runs()) == 1


def test_the_queue_of_one_person_is_bounded_and_the_page_says_so(
    idle_store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MOST_OF_ONE", 2)
    app = page()
    for _ in range(4):
        press(app, "start")
    assert len(idle_store.runs()) == 2
    assert app.error[0].value.startswith("2 runs of yours are in the queue already.")
    idle_store.runs()[0].request("stop")
    press(app, "start")
    assert len(idle_store.runs()) == 3


def test_the_queue_of_all_is_bounded(idle_store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_OF_ALL", 2)
    for _ in range(2):  # each in a session of its own
        press(page(), "start")
    press(app := page(), "start")
    assert len(idle_store.runs()) == 2
    assert app.error[0].value.startswith("2 runs are in the queue already.")

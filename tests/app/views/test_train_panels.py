"""Charts of a run that trains are drawn as often as it can spare, and never lag a finished one."""

import pytest
from streamlit.testing.v1 import AppTest

from app.views.train.panels import Kept, rest
from vae_core.runs.run import Status


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Kept:
    return Kept(clock)


def test_the_same_version_is_made_once(kept: Kept, clock: Clock) -> None:
    first = kept.get("terms", "run", 1, 0.0, object)
    clock.now += 1000
    assert kept.get("terms", "run", 1, 0.0, object) is first


def test_another_version_waits_until_the_rest_is_over(kept: Kept, clock: Clock) -> None:
    first = kept.get("terms", "run", 1, 3.0, object)
    clock.now += 2.9
    assert kept.get("terms", "run", 2, 3.0, object) is first
    clock.now += 0.2
    assert kept.get("terms", "run", 2, 3.0, object) is not first


def test_what_needs_no_rest_any_more_is_made_at_once(kept: Kept) -> None:
    first = kept.get("terms", "run", 1, 3.0, object)
    assert kept.get("terms", "run", 2, 0.0, object) is not first


def test_another_run_does_not_wait(kept: Kept) -> None:
    first = kept.get("terms", "run", 1, 3.0, object)
    assert kept.get("terms", "other", 1, 3.0, object) is not first


def test_charts_rest_apart(kept: Kept) -> None:
    assert kept.get("terms", "run", 1, 3.0, object) is not kept.get("kl", "run", 1, 3.0, object)


def test_a_run_is_drawn_less_often_the_longer_it_has_trained() -> None:
    rests = [rest(Status(state="running", seconds=each)) for each in (0.0, 5.0, 20.0, 1e6)]
    assert rests == sorted(rests)
    assert rests[0] == 0.0
    assert rests[1] < 1.0  # a demo of fifteen seconds is drawn every second
    assert rests[-1] <= 5.0


@pytest.mark.parametrize("state", ["done", "paused", "stopped", "failed", "queued"])
def test_a_run_that_does_not_train_is_shown_as_it_is(state: str) -> None:
    assert rest(Status(state=state, seconds=1e6)) == 0.0  # type: ignore[arg-type]


# ---- the kept epoch


def page() -> None:
    import streamlit as st

    from app.services.history import History
    from app.views.train.panels import kept_epoch
    from vae_core.runs.run import Status

    rows = st.session_state.get("rows", [])
    kept_epoch(Status(state="done", best_epoch=st.session_state.get("best", 0)), History(rows))


def shown(rows: list[dict], best: int) -> AppTest:
    test = AppTest.from_function(page)
    test.session_state["rows"], test.session_state["best"] = rows, best
    test.run()
    assert not test.exception
    return test


def a_row(value: float) -> dict:
    criterion = {
        "value": value, "iwae_samples": 50, "beta": 1.0, "free_bits": 0.0, "classes": False,
    }  # fmt: skip
    kept = {"epoch": 2, "value": -22.0, "untrained": -27.0}
    return {
        "epoch": 9, "kl_weight": 1.0, "train": {}, "validation": {}, "criterion": criterion,
        "kept": kept,
    }  # fmt: skip


def test_the_page_says_which_criterion_chose_the_epoch() -> None:
    test = shown([a_row(-22.5)], 2)
    assert [each.value for each in test.caption] == [
        "The weights are those of epoch 2 of 9, the best by the training objective (IWAE bound "
        "with K = 50) on validation images."
    ]
    assert not test.warning


def test_the_page_warns_of_a_run_that_ended_worse_than_it_began() -> None:
    (warning,) = shown([a_row(-3e9)], 2).warning
    assert "The run ended worse than it began: −3,000,000,000 nats after epoch 9" in warning.value


def test_of_a_run_of_the_version_before_the_page_names_the_elbo() -> None:
    (caption,) = shown([{"epoch": 9, "train": {}, "validation": {}}], 4).caption
    assert caption.value == (
        "The weights are those of epoch 4, the best by the ELBO on validation images."
    )

"""Measuring in slices: what is wanted, in rounds, stopped and taken up again, never twice."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from app.services import gradient_work as module
from app.services.gradient_table import Point, Protocol, cells, seed_of
from app.services.gradient_work import Estimates, Measurement
from app.services.work import Known
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.training.gradient_noise import measure_noise, memory

ROOT = Path(__file__).resolve().parents[3]
PROTOCOL = Protocol("digits", "test", 0, 2, 1, 12)
WANTED = cells(["pathwise", "score-function"], 2, 1)


@pytest.fixture(scope="module")
def model() -> VAE:
    return load_model(ROOT / "pretrained" / "digits-full-d2")


@pytest.fixture
def measurement(model: VAE) -> Measurement:
    return new(model, Known(100))


def new(model: VAE, known: Known[Point]) -> Measurement:
    return window(Estimates(PROTOCOL, model, images(), known))


def window(estimates: Estimates) -> Measurement:
    found = Measurement(estimates)
    found.want(WANTED)
    return found


def images() -> torch.Tensor:
    return (torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) < 0.5).float()


def finish(measurement: Measurement) -> None:
    while measurement.working:
        measurement.advance(1)


def test_it_ends_with_what_the_core_measures(measurement: Measurement, model: VAE) -> None:
    finish(measurement)
    assert measurement.estimates == (48, 48)
    assert measurement.share == 1
    for gradient, row in measurement.table.items():
        for point in row:
            *_, noise = measure_noise(
                model, images(), gradient, point.samples, 12, seed=seed_of(gradient, point.samples)
            )
            assert point.variance == pytest.approx(noise.total_variance)
            assert point.variance_error == pytest.approx(noise.total_variance_error)
            assert point.coordinates.shape == (12, 2)


def test_all_points_come_before_any_is_finished(measurement: Measurement) -> None:
    while len(measurement.table) < 2 or any(len(row) < 2 for row in measurement.table.values()):
        measurement.advance(0)
    assert max(p.repeats for row in measurement.table.values() for p in row) <= 4
    assert 0 < measurement.share < 1


def test_the_points_of_a_large_model_are_begun_in_groups(
    model: VAE, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MEMORY", 2 * memory(model) + 1)
    measurement = new(model, Known(100))
    unfinished: set[int] = set()
    while measurement.working:
        measurement.advance(0)
        points = [point for row in measurement.table.values() for point in row]
        unfinished.add(sum(point.repeats < PROTOCOL.repeats for point in points))
    assert max(unfinished) == 2
    assert measurement.estimates == (48, 48)


def test_stopped_it_stays_as_it_is_and_goes_on_when_told(measurement: Measurement) -> None:
    measurement.advance(0)
    measurement.stop()
    made = measurement.estimates
    measurement.advance(1)
    assert measurement.estimates == made
    measurement.go_on()
    finish(measurement)
    assert measurement.done


def test_finished_points_are_not_measured_again(model: VAE) -> None:
    known = Known[Point](100)
    finish(new(model, known))
    again = new(model, known)
    assert again.done
    assert again.estimates == (48, 48)
    again.want([*WANTED, ("sticking-the-landing", 1)])
    assert not again.done
    finish(again)
    assert again.estimates == (60, 60)


def test_what_is_not_wanted_is_not_shown_but_kept(measurement: Measurement) -> None:
    finish(measurement)
    measurement.want([("pathwise", 2)])
    assert [p.samples for p in measurement.table["pathwise"]] == [2]
    assert "score-function" not in measurement.table
    measurement.want(WANTED)
    assert measurement.done


def test_charts_change_only_now_and_then_while_it_works(measurement: Measurement) -> None:
    seen: list[int] = []
    while measurement.working:
        measurement.advance(0)
        shown = sum(p.repeats for row in measurement.shown().values() for p in row)
        if not seen or shown != seen[-1]:
            seen.append(shown)
    assert len(seen) < 10
    assert seen[-1] == 48


def test_what_fails_is_tried_again_only_when_it_is_told_to(model: VAE) -> None:
    measurement = window(Estimates(PROTOCOL, model, torch.zeros(1, 1, 3, 3), Known(1)))
    measurement.advance(1)
    assert measurement.state == "failed"
    assert "shape" in str(measurement.error)
    measurement.want(WANTED)
    assert measurement.state == "failed", "the page is drawn again"
    measurement.go_on()
    assert measurement.working
    measurement.advance(1)
    assert measurement.state == "failed"
    measurement.want(WANTED[:1])
    assert measurement.working, "something else is asked for"


def test_a_second_window_goes_on_where_the_first_is(model: VAE) -> None:
    estimates = Estimates(PROTOCOL, model, images(), Known(100))
    first = window(estimates)
    for _ in range(10):
        first.advance(0)
    second = Measurement(estimates)
    second.want([*WANTED, ("sticking-the-landing", 1)])
    assert second.estimates == (10, 60)
    first.stop()
    finish(second)
    assert second.estimates == (60, 60)
    assert first.estimates == (48, 48)


def test_windows_make_each_estimate_once(model: VAE, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[str, int]] = []

    def counted(model: VAE, x: torch.Tensor, gradient: Any, samples: int, *rest: Any) -> Any:
        begun.append((gradient, samples))
        return measure_noise(model, x, gradient, samples, *rest)

    monkeypatch.setattr("app.services.gradient_work.measure_noise", counted)
    estimates = Estimates(PROTOCOL, model, images(), Known(100))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: finish(window(estimates)), range(4)))
    assert sorted(begun) == sorted(WANTED)
    assert {point.repeats for point in estimates.points.values()} == {12}

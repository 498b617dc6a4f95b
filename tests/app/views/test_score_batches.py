"""Batches that go on when their page is closed: kept by a key, and forgotten in time."""

import time
from typing import Any

import pytest

from app.services.scheduler import Scheduler
from app.views.score.batches import Batches
from app.views.score.inputs import Upload

HALF_AN_HOUR = 30 * 60
PATIENCE = 60.0  # seconds; reached only when something is broken


class Job:
    """Stands for the scoring of images: so many slices."""

    def __init__(self, slices: int) -> None:
        self.left = slices

    @property
    def working(self) -> bool:
        return self.left > 0

    def advance(self, seconds: float) -> None:
        self.left -= 1


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Batches:
    """Batches with room for 100 bytes, which nothing advances but the tests."""
    return Batches(Scheduler(threads=0), most_bytes=100, clock=clock)


def files(size: int) -> list[Upload]:
    return [Upload("1", "a.png", b"x" * size)]


def job(slices: int = 5) -> Any:
    return Job(slices)


def test_a_batch_is_scored_to_the_end_without_a_page() -> None:
    batch = job()
    Batches(Scheduler()).keep(batch, files(10))
    end = time.monotonic() + PATIENCE
    while batch.working:
        assert time.monotonic() < end
        time.sleep(1e-3)


def test_it_is_found_by_a_key_that_nobody_can_guess(kept: Batches) -> None:
    first, second = kept.keep(job(), files(10)), kept.keep(job(), files(10))
    assert first is not None
    assert first != second
    assert len(first) >= 20
    found = kept.find(first)
    assert found is not None
    assert found.bytes == 10
    assert kept.find("guessed") is None


def test_half_an_hour_after_its_end_it_is_forgotten(kept: Batches, clock: Clock) -> None:
    batch = job()
    key = kept.keep(batch, files(10))
    assert key is not None
    clock.now += 10 * HALF_AN_HOUR
    assert kept.find(key), "as long as it works"
    batch.left = 0
    assert kept.find(key)
    clock.now += HALF_AN_HOUR
    assert kept.find(key)
    clock.now += 1
    assert kept.find(key) is None


def test_ended_batches_make_room_for_new_ones_and_others_do_not(kept: Batches) -> None:
    done, working = job(0), job()
    old, going = kept.keep(done, files(40)), kept.keep(working, files(40))
    assert old is not None
    assert going is not None
    fresh = kept.keep(job(), files(50))
    assert fresh is not None
    assert kept.find(old) is None
    assert kept.find(going)
    assert kept.keep(job(), files(50)) is None, "there is no room left"
    assert kept.find(fresh)


def test_other_settings_replace_a_batch_under_its_key(kept: Batches) -> None:
    key = kept.keep(job(), files(80))
    other = job()
    assert kept.keep(other, files(90), key) == key
    found = kept.find(key or "")
    assert found is not None
    assert found.job is other


def test_a_batch_that_was_stopped_and_goes_on_needs_no_page_again() -> None:
    batches, batch = Batches(Scheduler()), job(10**9)
    key = batches.keep(batch, files(1)) or ""
    left, batch.left = batch.left, 0  # as a stop, which takes it out of the line
    time.sleep(0.1)
    batch.left = left
    batches.go_on(key)
    end = time.monotonic() + PATIENCE
    while batch.left >= left:
        assert time.monotonic() < end
        time.sleep(1e-3)
    batches.forget(key)


def test_a_batch_that_is_forgotten_rests() -> None:
    batches = Batches(Scheduler())
    batch = job(10**9)
    key = batches.keep(batch, files(1))
    batches.forget(key)
    time.sleep(0.1)
    left = batch.left
    time.sleep(0.05)
    assert batch.left == left
    assert batches.find(key or "") is None

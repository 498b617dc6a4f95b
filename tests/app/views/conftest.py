"""Fixtures for the tests of pages."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.services import runs
from app.shell import navigation
from tests.app.views.opening import NoProcess
from vae_core.runs import worker
from vae_core.runs.store import RunStore


@pytest.fixture(autouse=True)
def _costs_are_counted_anew() -> Iterator[None]:
    """A test may say that the computer has little memory; no other test may hear of it."""
    yield
    if (estimate := sys.modules.get("app.views.train.estimate")) is not None:
        estimate._memory.cache_clear()


@pytest.fixture
def idle_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    """The store of the page, in which nothing trains."""
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setattr(navigation, "link", lambda *_, **__: None)
    monkeypatch.setattr(worker, "_spawn", NoProcess)
    runs.store.clear()
    yield RunStore(tmp_path / "runs")
    runs.store.clear()

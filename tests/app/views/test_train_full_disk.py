"""The Train page on a disk that cannot be written: it says so, and stays usable."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.services import runs
from app.shell import navigation
from tests.app.views.opening import NoProcess
from tests.small_disk import SmallDisk, small_disk
from vae_core.runs import failures, worker
from vae_core.runs.store import RunStore
from vae_core.settings.config import RunConfig

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[3] / "app" / "views" / "train" / "page.py"
SETTINGS = {"hidden_size": 8, "hidden_layers": 1, "epochs": 1, "importance_every": 0}


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallDisk]:
    """A small disk with the run store of the page."""
    with small_disk(tmp_path / "disk", 4_000_000) as made:
        monkeypatch.setenv("VAE_RUNS_DIR", str(made.folder / "runs"))
        monkeypatch.setattr(navigation, "link", lambda *_, **__: None)
        monkeypatch.setattr(worker, "_spawn", NoProcess)
        runs.store.clear()
        yield made
    runs.store.clear()


def page() -> AppTest:
    app = AppTest.from_file(str(PAGE), default_timeout=120).run()
    assert not app.exception
    return app


@pytest.mark.parametrize("full", [True, False])
def test_start_without_space_says_so_and_leaves_no_damaged_run(full: bool, disk: SmallDisk) -> None:
    store = RunStore(disk.folder / "runs")
    store.create(RunConfig.from_settings(SETTINGS), "paused")
    app = page()
    if full:
        disk.leave(0)
        app.button(key="start").click().run()
    else:
        with disk.read_only():
            app.button(key="start").click().run()
    assert not app.exception
    why = "full" if full else "read-only"
    said = [each.value for each in app.error]
    assert len(said) == 1
    assert said[0].startswith(f"The run could not be created. The disk is {why}, so ")
    assert len(list(store.entries())) == 1


def test_a_read_only_store_with_a_queued_run_is_shown_and_its_buttons_say_what_is_wrong(
    disk: SmallDisk,
) -> None:
    run = RunStore(disk.folder / "runs").create(RunConfig.from_settings(SETTINGS))
    with disk.read_only():
        app = page()
        assert app.button(key=f"pick-{run.id}")
        app.button(key="run-pause").click().run()
        assert not app.exception
        said = [each.value for each in app.toast]
        assert "The disk is read-only, so " in said[0]


def test_a_run_that_waits_for_space_says_so(disk: SmallDisk) -> None:
    run = RunStore(disk.folder / "runs").create(RunConfig.from_settings(SETTINGS))
    run.update(phase=failures.WAITING_FOR_SPACE, error=failures.waiting_sentence(run))
    app = page()
    assert app.warning[0].value.startswith("The disk is full. There is no checkpoint yet")
    bars = [str(bar.proto) for bar in app.get("progress")]
    assert any("Waiting for space on the disk…" in bar for bar in bars)


def test_a_run_that_stopped_when_its_disk_became_read_only_says_so(disk: SmallDisk) -> None:
    run = RunStore(disk.folder / "runs").create(RunConfig.from_settings(SETTINGS))
    run.update(state="running", phase="training", pid=1, epoch=1)
    with disk.read_only():
        app = page()
    said = [each.value for each in app.warning]
    assert said[0].startswith("The folder of this run cannot be written. There is no checkpoint")
    bars = [str(bar.proto) for bar in app.get("progress")]
    assert any("Waiting at epoch 1 of 1" in bar for bar in bars)

"""A disk that becomes full at every kind of write of a run, on a small file system of its own."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.small_disk import SmallDisk, small_disk
from vae_core.basics.tensor_files import read_header
from vae_core.runs import execution, failures, worker
from vae_core.runs.checkpoint import load_model
from vae_core.runs.execution import execute
from vae_core.runs.run import FILES, Run
from vae_core.runs.snapshots import read_snapshot, snapshot_epochs
from vae_core.runs.store import RunNotCreated, RunStore, create_run
from vae_core.runs.worker import Supervisor
from vae_core.settings.config import RunConfig

SETTINGS = {"epochs": 2, "hidden_size": 16, "hidden_layers": 1, "importance_every": 0}
SIZE = 8_000_000
PLACES = {
    "status": (execution._Execution, "_status"),
    "metrics": (Run, "append_metrics"),
    "model": (execution, "save_model"),
    "checkpoint": (execution._Execution, "checkpoint"),
    "snapshot": (execution, "write_snapshot"),
    "figures": (execution, "strict_json"),
    "calibration": (execution, "write_calibration"),
}
"""Functions that begin each kind of write."""


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Score few images at the end of a run, and save checkpoints soon."""
    few = partial(execution.calibrate_steps, images=12)
    monkeypatch.setattr(execution, "calibrate_steps", few)
    monkeypatch.setattr(execution, "HELD_OUT_IMAGES", 10)
    monkeypatch.setattr(execution, "HELD_OUT_SAMPLES", 5)
    monkeypatch.setattr(execution, "_CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(worker, "_NICENESS", 0)
    monkeypatch.setattr(worker, "_SHORT_WAIT", 0.0)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", SIZE) as made:
        yield made


def fill_before(kind: str, left: int, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill the disk just before the second write of a kind, or before the only one."""
    place, name = PLACES[kind]
    original: Callable[..., Any] = getattr(place, name)
    turns = iter(range(1, 10**6))

    def full(*given: Any, **more: Any) -> Any:
        if next(turns) == (1 if kind in ("figures", "calibration") else 2):
            disk.leave(left)
        return original(*given, **more)

    monkeypatch.setattr(place, name, full)


def check_whole(run: Run) -> None:
    """Check that every file of a run is whole, and that nothing was left over."""
    names = {path.name for path in run.folder.iterdir()}
    assert names <= {*FILES, "last.safetensors", "snapshots"}
    json.loads((run.folder / "config.json").read_text())
    for epoch in snapshot_epochs(run.folder):
        read_snapshot(run.folder, epoch)
    assert all(not path.name.startswith(".") for path in (run.folder / "snapshots").iterdir())
    if "model.safetensors" in names:
        load_model(run.folder)
    if "resume.pt" in names:
        torch.load(run.folder / "resume.pt", weights_only=True)
    for name in names & {"held_out.safetensors", "calibration.safetensors", "last.safetensors"}:
        read_header(run.folder / name)
    run.evaluation()
    assert [row["epoch"] for row in run.metrics()] == list(range(1, len(run.metrics()) + 1))


@pytest.mark.parametrize("left", [0, 50_000])
@pytest.mark.parametrize("kind", PLACES)
def test_a_run_on_a_full_disk_says_so_stays_whole_and_goes_on_from_there(
    kind: str, left: int, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(disk.folder / "run", RunConfig.from_settings(SETTINGS))
    with monkeypatch.context() as patch:
        fill_before(kind, left, disk, patch)
        state = execute(run)
    status = run.status()
    assert status.state == state
    assert state == "failed" or (state == "done" and left)
    assert not run.is_alive()
    check_whole(run)
    if state == "failed":
        assert status.error.startswith("The disk is full.")
        assert ("was kept" in status.error) == (run.folder / "resume.pt").is_file()
    disk.empty()
    assert execute(run) == "done"
    check_whole(run)
    assert len(run.metrics()) == SETTINGS["epochs"]


class Here:
    """A training process that is none: the run is trained here, while it is started."""

    def __init__(self, arguments: list[str], _output: object) -> None:
        try:
            worker.train_one(Path(arguments[-1]))
            self.returncode = 0
        except SystemExit as ended:
            self.returncode = int(str(ended.code))

    def poll(self) -> int:
        return self.returncode


@pytest.mark.parametrize("left", [0, 50_000])
@pytest.mark.parametrize("kind", ["status", "checkpoint"])
def test_the_worker_takes_the_run_up_by_itself_when_there_is_space(
    kind: str, left: int, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_spawn", Here)
    store = RunStore(disk.folder / "runs")
    run = store.create(RunConfig.from_settings(SETTINGS))
    supervisor = Supervisor(store)
    with monkeypatch.context() as patch:
        fill_before(kind, left, disk, patch)
        supervisor.tick()
    for _ in range(3):
        assert supervisor.tick()
    status = run.status()
    assert (status.state, status.phase) == ("queued", failures.WAITING_FOR_SPACE)
    assert status.error.startswith("The disk is full.")
    assert status.deaths == 0
    disk.empty()
    while supervisor.tick():
        pass
    status = run.status()
    assert (status.state, status.error) == ("done", "")
    check_whole(run)


def test_a_run_on_a_disk_that_became_read_only_says_so_and_goes_on_when_it_can_be_written(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_spawn", Here)
    store = RunStore(disk.folder / "runs")
    run = store.create(RunConfig.from_settings(SETTINGS))
    run.update(state="running", pid=1, epoch=1)  # its process ended, and could not write so
    assert failures.standstill_sentence(run, run.status()) == ""
    supervisor = Supervisor(store)
    with disk.read_only():
        for _ in range(3):
            assert supervisor.tick()
        said = failures.standstill_sentence(run, run.status())
        assert said.startswith("The folder of this run cannot be written. There is no checkpoint")
    while supervisor.tick():
        pass
    assert (run.status().state, run.status().error) == ("done", "")
    assert failures.standstill_sentence(run, run.status()) == ""
    check_whole(run)


class Refusing:
    """Refuses every write below a folder with an error of the system, as long as ``number`` is set.

    It stands for a disk that becomes read-only while files are open, and for a user without root.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.number = str(folder), 0
        self._open, self._access = os.open, os.access
        monkeypatch.setattr(os, "open", self.open)
        monkeypatch.setattr(os, "access", self.access)

    def open(self, path: Any, flags: int, *given: Any, **more: Any) -> int:
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if self.number and writes and os.fspath(path).startswith(self.folder):
            raise OSError(self.number, os.strerror(self.number), path)
        return self._open(path, flags, *given, **more)

    def access(self, path: Any, mode: int, **more: Any) -> bool:
        full = self.number in (0, errno.EDQUOT)
        return full and self._access(path, mode, **more)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_run_that_can_suddenly_not_be_written_goes_on_by_itself_later(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "_spawn", Here)
    store = RunStore(tmp_path / "runs")
    run = store.create(RunConfig.from_settings(SETTINGS))
    refusing = Refusing(run.folder, monkeypatch)
    original, turns = execution._Execution.checkpoint, iter(range(1, 10**6))

    def checkpoint(self: execution._Execution) -> None:
        if next(turns) == 2:
            refusing.number = number
        original(self)

    monkeypatch.setattr(execution._Execution, "checkpoint", checkpoint)
    supervisor = Supervisor(store)
    for _ in range(5):
        assert supervisor.tick()
    assert run.status().state == "running", "nothing could be written"
    assert store.queue.ids() == {run.id}, "it may go on"
    said = failures.standstill_sentence(run, run.status())
    assert ("The last checkpoint was kept" in said) == (number != errno.EDQUOT)
    assert sum("cannot be trained" in each.message for each in caplog.records) <= 1
    refusing.number = 0
    monkeypatch.setattr(worker, "_WAIT_FOR_SPACE", 0.0)
    while supervisor.tick():
        pass
    assert (run.status().state, run.status().error) == ("done", "")
    check_whole(run)


def test_a_worker_that_comes_later_takes_the_run_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_spawn", Here)
    store = RunStore(tmp_path / "runs")
    run = store.create(RunConfig.from_settings(SETTINGS))
    run.update(state="running", pid=1)
    refusing = Refusing(run.folder, monkeypatch)
    refusing.number = errno.EACCES
    assert Supervisor(store).tick()
    refusing.number = 0
    later = Supervisor(store)
    while later.tick():
        pass
    assert run.status().state == "done"


def test_a_queued_run_that_cannot_be_written_holds_up_no_other_and_fills_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder of another user, say."""
    monkeypatch.setattr(worker, "_spawn", Here)
    store = RunStore(tmp_path / "runs")
    first, second = (store.create(RunConfig.from_settings(SETTINGS)) for _ in range(2))
    refusing = Refusing(first.folder, monkeypatch)
    refusing.number = errno.EACCES
    supervisor = Supervisor(store)
    for _ in range(50):
        supervisor.tick()
    assert not supervisor.tick()
    assert (first.status().state, second.status().state) == ("queued", "done")
    assert sum(first.id in each.message for each in caplog.records) == 1
    refusing.number = 0
    assert store.waits_for_consent(first, first.status())
    first.enqueue()  # by one click
    later = Supervisor(store)
    while later.tick():
        pass
    assert first.status().state == "done"


def test_a_run_without_space_for_its_first_status_starts_no_process_after_process(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    def spawn(arguments: list[str], output: object) -> Here:
        started.append(arguments[-1])
        return Here(arguments, output)

    monkeypatch.setattr(worker, "_spawn", spawn)
    store = RunStore(disk.folder / "runs")
    run = store.create(RunConfig.from_settings(SETTINGS))
    disk.leave(0)
    supervisor = Supervisor(store)
    for _ in range(5):
        assert supervisor.tick()
    assert len(started) <= 1
    assert (run.status().state, run.status().deaths) == ("queued", 0)
    disk.empty()
    while supervisor.tick():
        pass
    assert run.status().state == "done"


def test_a_pause_that_finds_the_disk_full_is_a_pause(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(disk.folder / "run", RunConfig.from_settings(SETTINGS))

    def pause_on_a_full_disk(_self: object, *_given: object) -> None:
        (run.folder / "control").write_text("pause")
        disk.leave(0)
        (run.folder / "model.safetensors").write_bytes(bytes(100_000))

    monkeypatch.setattr(execution, "write_snapshot", pause_on_a_full_disk)
    assert execute(run, wait_for_space=True) == "paused"
    assert run.status().error.startswith("The disk is full.")


@pytest.mark.parametrize("left", [0, 4_096, 8_192, 12_288, 16_384])
def test_a_run_that_cannot_be_created_says_why_and_leaves_nothing(
    left: int, disk: SmallDisk
) -> None:
    store = RunStore(disk.folder / "runs")
    store.folder.mkdir()
    disk.leave(left)
    said = ""
    for _ in range(5):  # the last of them at least
        try:
            store.create(RunConfig.from_settings(SETTINGS))
        except RunNotCreated as error:
            said = str(error)
    assert said.startswith("The run could not be created. The disk is full, so ")
    disk.empty()
    assert all(isinstance(each, Run) for each in store.entries())
    found = {each.name for each in store.folder.iterdir() if not each.name.startswith(".")}
    assert found == {run.id for run in store.runs()} == store.queue.ids()


def test_on_a_read_only_disk_no_run_can_be_created_and_the_others_are_listed(
    disk: SmallDisk,
) -> None:
    store = RunStore(disk.folder / "runs")
    run = store.create(RunConfig.from_settings(SETTINGS))
    with disk.read_only():
        with pytest.raises(RunNotCreated, match="The disk is read-only, so "):
            store.create(RunConfig.from_settings(SETTINGS))
        assert [each.id for each in store.runs()] == [run.id]
        assert run.status().state == "queued"
    assert [each.id for each in store.runs()] == [run.id]


def test_a_folder_given_for_a_run_stays_empty_if_the_run_cannot_be_created(
    disk: SmallDisk,
) -> None:
    (disk.folder / "run").mkdir()
    disk.leave(0)
    with pytest.raises(RunNotCreated):
        create_run(disk.folder / "run", RunConfig.from_settings(SETTINGS))
    assert list((disk.folder / "run").iterdir()) == []


def test_the_log_of_a_run_on_a_full_disk_holds_no_run_up(
    disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug whose traceback cannot be written still ends the run with a status that says so."""

    def bug(*_given: object) -> None:
        disk.leave(0)
        raise KeyError("a bug")

    run = create_run(disk.folder / "run", RunConfig.from_settings(SETTINGS))
    monkeypatch.setattr(execution, "write_snapshot", bug)
    with pytest.raises(KeyError):
        execute(run)
    assert run.status().state == "failed"
    assert run.status().error.startswith("An unexpected error (KeyError)")
    check_whole(run)

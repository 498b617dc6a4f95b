"""Run folders from somebody else: each costs only itself, and nothing outside it is touched."""

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile import SETTINGS, Hostile, hostile_store
from vae_core.basics.errors import UserError
from vae_core.cli.main import main
from vae_core.model.vae import VAE
from vae_core.runs import execution, worker
from vae_core.runs.checkpoint import ModelFileError, load_model, save_model
from vae_core.runs.execution import execute
from vae_core.runs.records import calibration_of, detection_of, held_out_of
from vae_core.runs.run import Run, RunError
from vae_core.runs.snapshots import read_snapshot, snapshot_epochs
from vae_core.runs.store import DamagedRun, RunStore, create_run
from vae_core.runs.worker import Supervisor
from vae_core.settings.config import RunConfig

pytestmark = pytest.mark.skipif(os.name == "nt", reason="makes pipes and links")

HANGS = 60  # seconds; only a test that waits for ever takes as long
MEMORY = 300_000  # kB


@pytest.fixture(autouse=True)
def _never_waits_for_ever() -> Iterator[None]:
    """End a test that hangs, such as one that opens a pipe."""

    def stop(_signal: int, _frame: object) -> None:
        raise AssertionError("the test waits for ever")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(HANGS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """Finished hostile runs, which a test only reads."""
    return hostile_store(tmp_path_factory.mktemp("hostile"))


def peak() -> int:
    """Largest memory of this process so far, in kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_every_folder_is_listed_as_a_run_or_as_damaged_with_one_sentence(hostile: Hostile) -> None:
    before = peak()
    entries = {entry.folder.name: entry for entry in hostile.store.entries()}
    assert {*hostile.bad, hostile.healthy, hostile.queued} <= entries.keys()
    assert isinstance(entries[hostile.healthy], Run)
    assert isinstance(entries[hostile.queued], Run)
    for entry in entries.values():
        if isinstance(entry, DamagedRun):
            assert entry.reason.startswith(f"The run {entry.id} is damaged: ")
            assert entry.reason.endswith(".")
            assert not entry.reason.endswith("..")
            assert entry.reason.isprintable()
    assert peak() - before < MEMORY
    assert hostile.untouched()


@pytest.mark.slow
def test_every_record_of_a_run_is_read_or_refused_in_a_sentence(hostile: Hostile) -> None:
    before = peak()
    for run in hostile.store.runs():
        for read in (Run.metrics, Run.evaluation, calibration_of, detection_of, held_out_of):
            try:
                read(run)
            except RunError as error:
                assert run.id in str(error)  # noqa: PT017
        for epoch in snapshot_epochs(run.folder):
            with contextlib.suppress(OSError, UserError):
                read_snapshot(run.folder, epoch)
        assert not run.is_alive()
        run.requested()
    assert peak() - before < MEMORY
    assert hostile.untouched()


@pytest.mark.slow
def test_every_model_file_is_loaded_or_refused_without_building_a_giant(hostile: Hostile) -> None:
    before = peak()
    refused = []
    for run in hostile.store.runs():
        try:
            assert load_model(run.folder).config == run.config.model
        except UserError as error:
            refused.append(run.id)
            assert "model" in str(error)  # noqa: PT017
    assert {name for name in hostile.bad if name.startswith("bomb")} <= set(refused)
    assert hostile.healthy not in refused
    assert peak() - before < MEMORY
    assert hostile.untouched()


@pytest.mark.slow
def test_the_command_that_lists_runs_names_the_damaged_ones_and_exits_1(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VAE_RUNS_DIR", str(hostile.store.folder))
    assert main(["runs"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(hostile.bad) + 2
    assert all(line.isprintable() for line in lines)
    assert main(["runs", "--json"]) == 1


@pytest.mark.thorough
def test_every_id_that_is_listed_is_taken_by_the_other_commands(
    hostile: Hostile,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("VAE_RUNS_DIR", str(hostile.store.folder))
    for entry in hostile.store.entries():
        status = main(["sample", "--count", "1", "--out", str(tmp_path / "x.png"), "--", entry.id])
        said = capsys.readouterr().err
        assert status in (0, 1), said
        assert "is not a run" not in said
        assert all(line.isprintable() for line in said.splitlines())
    assert hostile.untouched()


class Processes:
    """Stands for the training processes that a supervisor starts. Each fails at once."""

    pid, returncode = 0, 1

    def __init__(self) -> None:
        self.started: list[str] = []

    def __call__(self, arguments: list[str], _output: object) -> "Processes":
        self.started.append(Path(arguments[1]).name)
        return self

    def poll(self) -> int:
        return self.returncode


@pytest.mark.slow
def test_the_worker_starts_nothing_that_this_store_did_not_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = hostile_store(tmp_path, state="queued")
    monkeypatch.setattr(worker, "_spawn", processes := Processes())
    supervisor = Supervisor(hostile.store)
    while supervisor.tick():
        pass
    assert set(processes.started) == {hostile.queued}
    assert hostile.store.get(hostile.queued).status().state == "failed"
    assert hostile.untouched()


@pytest.mark.slow
@pytest.mark.parametrize("state", ["queued", "running"])
@pytest.mark.parametrize("only", ["status", "worker.log", "lock", "config.json", "snapshots"])
def test_the_worker_goes_on_with_the_other_runs(
    only: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = hostile_store(tmp_path, state, only)
    for name in hostile.bad:  # as if the user had queued every one of them
        hostile.store.queue.add(name)
    monkeypatch.setattr(worker, "_spawn", processes := Processes())
    supervisor = Supervisor(hostile.store)
    while supervisor.tick():  # ends: each run is trained, or given up
        pass
    assert hostile.queued in processes.started
    assert hostile.untouched()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["link", "hard-link", "link-to-nothing", "pipe", "folder"])
def test_training_a_hostile_run_writes_nothing_outside_its_folder(
    kind: str, tmp_path: Path
) -> None:
    hostile = hostile_store(tmp_path, state="queued", only=f"{kind}-")
    for name in [name for name in hostile.bad if name.startswith(f"{kind}-")]:
        try:
            state = execute(Run.open(hostile.store.folder / name))
        except RunError:
            continue
        assert state in ("failed", "done")
        assert hostile.untouched()


# ---- deaths


class Killed(Processes):
    """Processes that a signal ended."""

    returncode = -9


@pytest.mark.parametrize(("processes", "how"), [(Processes, "died"), (Killed, "was killed")])
def test_a_run_whose_process_never_got_further_fails_and_says_how(
    processes: type[Processes], how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path)
    run = store.create(RunConfig.from_settings(SETTINGS))
    monkeypatch.setattr(worker, "_spawn", started := processes())
    supervisor = Supervisor(store)
    while supervisor.tick():
        pass
    assert len(started.started) == 3
    assert run.status().error.startswith(f"The training process {how} 3 times. It died each time")


def test_a_run_that_gets_further_between_deaths_does_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RunStore(tmp_path)
    run = store.create(RunConfig.from_settings(SETTINGS))
    monkeypatch.setattr(worker, "_spawn", Killed())
    supervisor = Supervisor(store)
    for _ in range(12):
        supervisor.tick()
        if run.status().deaths:
            run.update(deaths=0)  # as a checkpoint does
    assert run.status().state == "queued"


@pytest.mark.parametrize(("deaths", "soon"), [(0, False), (2, True)])
def test_a_process_saves_its_first_checkpoint_sooner_after_a_death(
    deaths: int, soon: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS))
    run.update(deaths=deaths)
    steps: list[int] = []

    def note(self: Any) -> None:
        steps.append(self.training.progress.step)
        raise execution._Ended("paused")

    monkeypatch.setattr(execution._Execution, "checkpoint", note)
    monkeypatch.setattr(execution, "_CHECKPOINT_SECONDS", 1e6)
    monkeypatch.setattr(execution, "_SOON", 0.0)
    execute(run)
    assert (steps == [1]) == soon


def test_the_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    run = create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS))
    other = RunConfig.from_settings(SETTINGS | {"latent_size": 3})
    save_model(VAE(other.model), run.folder / "model.safetensors")
    with pytest.raises(ModelFileError, match="belongs to another run"):
        load_model(run.folder)

"""The background worker, with real processes: killed, paused, stopped, queued."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from vae_core.runs.execution import execute
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore, create_run
from vae_core.runs.worker import ensure_worker
from vae_core.settings.config import RunConfig

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals"),
]

LONG = {"epochs": 400, "hidden_size": 16, "importance_every": 0, "batch_size": 32}
SHORT = {**LONG, "epochs": 8}
PATIENCE = 300.0  # seconds; reached only when something is broken


@pytest.fixture
def store(tmp_path) -> Iterator[RunStore]:
    store = RunStore(tmp_path / "runs")
    yield store
    for run in store.runs():
        run.request("stop")
    wait_for(lambda: not any(run.is_alive() for run in store.runs()), "all processes gone")


def wait_for(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, f"waited in vain for: {what}"
        time.sleep(0.05)


def start(store: RunStore, **settings) -> Run:
    run = store.create(RunConfig.from_settings(settings))
    ensure_worker(store)
    return run


def wait_for_state(run: Run, state: str) -> None:
    wait_for(lambda: run.status().state == state, f"{state}, it is {run.status()}")


def wait_for_epochs(run: Run, count: int) -> None:
    wait_for(lambda: len(run.metrics()) >= count, f"{count} epochs")


def figures(run: Run) -> list[dict]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]


def epochs(run: Run) -> list[int]:
    return [row["epoch"] for row in run.metrics()]


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_queued_run_is_trained_in_a_process_of_its_own(store):
    run = start(store, **SHORT)
    wait_for_state(run, "done")
    assert run.status().pid != os.getpid()
    assert epochs(run) == list(range(1, 9))
    evaluation = run.evaluation()
    assert evaluation is not None
    assert evaluation["split"] == "test"
    for name in ("model.safetensors", "resume.pt", "held_out.safetensors", "worker.log"):
        assert (run.folder / name).is_file()


@pytest.mark.thorough
def test_a_killed_process_is_taken_up_again_with_no_epoch_twice_and_no_gap(store):
    run = start(store, **{**LONG, "epochs": 80})
    wait_for_epochs(run, 3)
    run.request("pause")
    wait_for_state(run, "paused")
    wait_for(lambda: not run.is_alive(), "the process gone")
    assert (run.folder / "resume.pt").is_file(), "a checkpoint"
    checkpointed = len(run.metrics())
    run.enqueue()
    ensure_worker(store)
    wait_for_epochs(run, checkpointed + 3)
    killed = run.status().pid
    kill(killed)
    assert run.metrics()[-1]["epoch"] < 80, "it was killed in the middle"
    wait_for(lambda: run.status().pid not in (killed, None), "a new process")
    wait_for_state(run, "done")
    assert epochs(run) == list(range(1, 81))
    assert run.metrics()[-1]["seconds"] > run.metrics()[checkpointed]["seconds"]

    undisturbed = create_run(store.folder.parent / "undisturbed", run.config)
    assert execute(undisturbed) == "done"
    assert figures(run) == figures(undisturbed)


def test_pause_keeps_every_step_and_resume_goes_on_from_there(store):
    run = start(store, **{**LONG, "epochs": 60})
    wait_for_epochs(run, 3)
    run.request("pause")
    wait_for_state(run, "paused")
    wait_for(lambda: not run.is_alive(), "the process gone")
    before = epochs(run)
    assert before == list(range(1, len(before) + 1))
    assert (run.folder / "model.safetensors").is_file()
    time.sleep(0.5)
    assert epochs(run) == before
    run.enqueue()
    ensure_worker(store)
    wait_for_state(run, "done")
    assert epochs(run) == list(range(1, 61))


def test_stop_keeps_the_model(store):
    run = start(store, **LONG)
    wait_for_epochs(run, 2)
    run.request("stop")
    wait_for_state(run, "stopped")
    assert (run.folder / "model.safetensors").is_file()
    assert len(epochs(run)) < 400


def test_runs_wait_for_each_other_in_the_order_they_came(store):
    first, second, third = (start(store, **SHORT) for _ in range(3))
    together = 0
    while third.status().state != "done":
        alive = [run for run in (first, second, third) if run.is_alive()]
        together = max(together, len(alive))
        if third.is_alive():
            assert second.status().state == first.status().state == "done"
        time.sleep(0.02)
    assert together == 1


def test_a_failing_run_fails_alone_and_says_why(store):
    bad = start(store, device="cuda", **SHORT) if not has_cuda() else None
    good = start(store, **SHORT)
    wait_for_state(good, "done")
    if bad is not None:
        wait_for_state(bad, "failed")
        assert "not available" in bad.status().error


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def test_a_process_that_always_dies_is_given_up_with_the_reason(store):
    run = start(store, **LONG)
    for _ in range(3):
        previous = run.status().pid
        wait_for(lambda p=previous: run.is_alive() and run.status().pid != p, "a process")
        kill(run.status().pid)
    wait_for_state(run, "failed")
    assert "died" in run.status().error


def test_training_outlives_the_program_that_started_it(store):
    """Who pressed start is killed; so is the worker; the run goes on and is found again."""
    config = {**LONG, "epochs": 150}
    script = (
        "import sys, time; from pathlib import Path\n"
        "from vae_core.settings.config import RunConfig\n"
        "from vae_core.runs.store import RunStore\n"
        "from vae_core.runs.worker import ensure_worker\n"
        f"store = RunStore(Path({str(store.folder)!r}))\n"
        f"store.create(RunConfig.from_settings({config!r}))\n"
        "ensure_worker(store); print('started', flush=True); time.sleep(60)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == b"started\n"
        (run,) = store.runs()
        wait_for_epochs(run, 5)
        starter.kill()
    for pid in worker_pids(store):
        kill(pid)
    pid, so_far = run.status().pid, len(epochs(run))
    wait_for_epochs(run, so_far + 5)
    assert run.status().pid == pid  # the training process never noticed
    ensure_worker(store)
    wait_for_state(run, "done")
    assert epochs(run) == list(range(1, 151))


def worker_pids(store: RunStore) -> list[int]:
    """Supervisors of the store, from their command lines."""
    listing = subprocess.run(
        ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
    ).stdout
    wanted = f"vae_core.runs.worker --store {store.folder}"
    return [int(line.split()[0]) for line in listing.splitlines() if wanted in line]


def test_a_shutdown_leaves_the_run_to_be_taken_up(store):
    run = start(store, **{**LONG, "epochs": 100})
    wait_for_epochs(run, 2)
    for pid in worker_pids(store):
        with contextlib.suppress(ProcessLookupError):
            kill(pid)
    pid = run.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not run.is_alive(), "the process gone")
    assert run.status().state == "queued"
    ensure_worker(store)
    wait_for_state(run, "done")
    assert epochs(run) == list(range(1, 101))


def test_no_worker_is_started_without_work(store):
    assert not ensure_worker(store)
    run = start(store, **SHORT)
    wait_for_state(run, "done")
    assert not ensure_worker(store)


def test_a_process_that_cannot_even_begin_is_given_up(store, monkeypatch, tmp_path):
    """A PyTorch that does not import: the run fails, and is not started again for ever."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('broken on purpose')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"), prepend=os.pathsep)
    run = start(store, **SHORT)
    wait_for_state(run, "failed")
    assert run.status().deaths == 3
    assert "broken on purpose" in (run.folder / "worker.log").read_text()

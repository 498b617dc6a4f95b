"""A run that fails: what its status says, and where the traceback is."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vae_core.basics.errors import InvalidArgument
from vae_core.runs import execution
from vae_core.runs.execution import execute
from vae_core.runs.run import Run
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig

SETTINGS = {"epochs": 1, "hidden_size": 16, "importance_every": 0}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS))


def break_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> None:
        raise error

    monkeypatch.setattr(execution, "load_dataset", broken)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InvalidArgument("A sentence."), "A sentence."),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB."),
            "The GPU ran out of memory. Fewer samples, a smaller batch or a smaller network needs "
            "less. The last checkpoint was kept.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "The disk is full. The last checkpoint was kept: free some space and resume.",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "model.safetensors"),
            "'model.safetensors': Permission denied.",
        ),
    ],
)
def test_what_a_user_can_mend_is_said_in_the_status(
    error: Exception, said: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_with(error, monkeypatch)
    assert execute(run) == "failed"
    assert run.status().error == said


@pytest.mark.parametrize("bug", [ValueError("a detail"), RuntimeError("a detail"), KeyError("x")])
def test_a_bug_is_recorded_and_raised(
    bug: Exception, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_with(bug, monkeypatch)
    with pytest.raises(type(bug)) as raised:
        execute(run)
    assert raised.value is bug
    status = run.status()
    assert status.state == "failed"
    assert status.error == (
        f"An unexpected error ({type(bug).__name__}) ended the training. The last checkpoint was "
        "kept. The details are in worker.log in the run's folder."
    )
    log = (run.folder / "worker.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "in broken" in log
    assert not run.is_alive()


def test_memory_that_runs_out_at_a_checkpoint_does_not_pass_for_damage(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_given: object, **_options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    (run.folder / "resume.pt").write_bytes(b"a checkpoint")
    monkeypatch.setattr(execution.torch, "load", load)
    assert execute(run) == "failed"
    assert run.status().error.startswith("The GPU ran out of memory.")


# ---- in a process of its own


@pytest.fixture
def broken_digits(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which a bug ends the loading of the digits."""
    package = tmp_path / "broken" / "sklearn"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "datasets.py").write_text("def load_digits(**_): raise KeyError('on purpose')\n")
    path = os.pathsep.join([str(package.parent), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path.rstrip(os.pathsep)}


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_command_shows_a_bug_of_training_and_has_status_70(
    broken_digits: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    done = python(broken_digits, "vae_core", "train", "--run", str(folder))
    assert done.returncode == 70, done.stderr
    assert "KeyError: 'on purpose'" in done.stderr
    assert "KeyError: 'on purpose'" in (folder / "worker.log").read_text()


def test_a_worker_leaves_one_traceback_in_the_log_of_the_run(
    run: Run, broken_digits: dict[str, str]
) -> None:
    done = python(broken_digits, "vae_core.runs.worker", "--run", str(run.folder))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr  # which is the same file, for a worker of the app
    assert run.status().state == "failed"
    log = (run.folder / "worker.log").read_text()
    assert log.count("KeyError: 'on purpose'") == 1
    assert "details are in worker.log" in run.status().error

"""A run that fails: what its status says, and where the traceback is."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from vae_core.basics.errors import InvalidArgument
from vae_core.runs import execution
from vae_core.runs.checkpoint import NoModel, load_model
from vae_core.runs.execution import execute
from vae_core.runs.run import Run
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig
from vae_core.wording.kept_epoch import kept_epoch_sentence

SETTINGS = {"epochs": 1, "hidden_size": 16, "importance_every": 0}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS))


def break_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> None:
        raise error

    monkeypatch.setattr(execution, "dataset_of", broken)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InvalidArgument("A sentence."), "A sentence."),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB."),
            "The GPU ran out of memory. Fewer samples, a smaller batch or a smaller network needs "
            "less. There is no checkpoint yet, so the training would start from the beginning.",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "The disk is full. There is no checkpoint yet: free some space and resume, from the "
            "beginning.",
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


def test_a_failed_last_checkpoint_leaves_the_kept_epoch_in_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(tmp_path / "run", RunConfig.from_settings(SETTINGS | {"epochs": 3}))

    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    monkeypatch.setattr(execution, "_CHECKPOINT_SECONDS", 1e9)  # only the last one is tried
    monkeypatch.setattr(execution, "_STATUS_SECONDS", 1e9)
    assert execute(run) == "failed"
    status = run.status()
    assert (status.epoch, status.best_epoch) == (3, run.metrics()[-1]["kept"]["epoch"])


def test_a_failure_between_epochs_leaves_the_epoch_of_the_saved_weights_in_the_status(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = execution._Execution._record_epoch

    def then_fail(self: execution._Execution, event: execution.EpochDone) -> None:
        record(self, event)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(execution._Execution, "_record_epoch", then_fail)
    monkeypatch.setattr(execution, "_STATUS_SECONDS", 1e9)
    assert execute(run) == "failed"
    assert run.status().best_epoch == run.metrics()[-1]["kept"]["epoch"] == 1


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
        f"An unexpected error ({type(bug).__name__}) ended the training. There is no checkpoint "
        "yet, so the training would start from the beginning. The details are in worker.log in "
        "the run's folder."
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


def rows_of(run: Run) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["a line", "snapshots", "metrics"])
def test_a_checkpoint_with_small_damage_beside_it_goes_on(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {**SETTINGS, "epochs": 40}
    run = create_run(tmp_path / "run", RunConfig.from_settings(settings))
    pause_after(run, 2)
    before = rows_of(run)
    if damage == "a line":
        with (run.folder / "metrics.jsonl").open("a") as file:
            file.write("x\n")
    elif damage == "snapshots":
        shutil.rmtree(run.folder / "snapshots")
    else:
        (run.folder / "metrics.jsonl").unlink()
        before = []
    pause_after(run, 4)
    assert [row["epoch"] for row in rows_of(run)] == [*(r["epoch"] for r in before), 3, 4]
    assert rows_of(run)[: len(before)] == before
    said = "1 line was left out of metrics.jsonl"
    assert (said in caplog.text) == (damage == "a line")
    undisturbed = create_run(tmp_path / "undisturbed", RunConfig.from_settings(settings))
    pause_after(undisturbed, 4)
    assert rows_of(run)[-2:] == rows_of(undisturbed)[-2:]


def pause_after(run: Run, epochs: int) -> None:
    original = Run.append_metrics

    def append(self: Run, row: Mapping[str, Any]) -> None:
        original(self, row)
        if row["epoch"] == epochs:
            (self.folder / "control").write_text("pause")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "append_metrics", append)
        assert execute(run) == "paused"


@pytest.mark.slow
def test_a_finished_run_says_which_epoch_was_kept_and_has_its_last_weights(
    tmp_path: Path,
) -> None:
    settings = {**SETTINGS, "epochs": 2, "hidden_size": 32, "beta": 2.0, "learning_rate": 1.0}
    run = create_run(tmp_path / "run", RunConfig.from_settings(settings))
    assert execute(run) == "done"
    evaluation = run.evaluation()
    assert evaluation is not None
    kept = evaluation["kept"]
    assert kept["epoch"] == run.status().best_epoch
    assert (kept["last_epoch"], kept["criterion"]["beta"]) == (2, 2.0)
    text = (run.folder / "evaluation.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail)["kept"]["criterion"]["seed"] == 0
    kept_model, last_model = (load_model(run.folder, weights=name) for name in ("kept", "last"))
    assert not torch.equal(
        next(kept_model.encoder.parameters()), next(last_model.encoder.parameters())
    )


@pytest.mark.slow
def test_a_run_that_is_stopped_early_keeps_its_newest_epoch_and_says_so(tmp_path: Path) -> None:
    settings = {**SETTINGS, "epochs": 40, "kl_warmup_epochs": 10}
    run = create_run(tmp_path / "run", RunConfig.from_settings(settings))
    pause_after(run, 2)
    assert run.status().best_epoch == 2
    kept = run.kept_epoch()
    assert kept is not None
    assert kept_epoch_sentence(kept) == (
        "The weights are those of epoch 2 of 2, the newest so far: the weight of the KL still "
        "rises (0.2 of 1), so no epoch can be chosen yet."
    )
    assert (run.folder / "model.safetensors").is_file()
    assert (run.folder / "last.safetensors").is_file()


def test_weights_of_the_last_epoch_that_were_not_kept_are_missed_in_a_sentence(run: Run) -> None:
    with pytest.raises(NoModel, match="a run keeps them when it ends"):
        load_model(run.folder, weights="last")


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


@pytest.mark.slow
def test_the_command_shows_a_bug_of_training_and_has_status_70(
    broken_digits: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "new"
    done = python(broken_digits, "vae_core", "train", "--run", str(folder))
    assert done.returncode == 70, done.stderr
    assert "KeyError: 'on purpose'" in done.stderr
    assert "KeyError: 'on purpose'" in (folder / "worker.log").read_text()


@pytest.mark.slow
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


@pytest.mark.thorough
@pytest.mark.slow
def test_a_command_says_once_and_without_traceback_that_training_diverged(tmp_path: Path) -> None:
    program = (
        "import math, sys, torch\n"
        "from vae_core.training import trainer\n"
        "from vae_core.cli.main import main\n"
        "trainer.training_loss = lambda model, *_: (\n"
        "    sum(p.sum() for p in model.parameters()) * math.nan,\n"
        "    trainer.__dict__['terms'],\n"
        ")\n"
        "class Terms: log_px_z = kl = torch.tensor([math.nan])\n"
        "trainer.terms = Terms\n"
        f"sys.exit(main(['train', '--epochs', '4', '--run', {str(tmp_path / 'new')!r}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("The loss was no longer a number") == 1
    assert "KL warm-up" not in done.stderr  # it is on

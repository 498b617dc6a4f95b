"""``sweep``: values in, runs out; it goes on where it was killed."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from vae_core.cli import sweep as command
from vae_core.cli.main import main
from vae_core.runs.disk import bytes_of_run
from vae_core.runs.store import RunStore
from vae_core.runs.sweeps import SweepStore

TINY = ("--hidden-size", "8", "--hidden-layers", "1", "--epochs", "1", "--importance-every", "0")
TWO = ("sweep", "--latent-size", "1", "2", "--seeds", "2", *TINY)


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunStore:
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "runs"))
    return RunStore()


def record(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.thorough
def test_every_combination_is_trained_and_seeds_give_mean_and_spread(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = tmp_path / "table.csv"
    found = record(capsys, *TWO, "--csv", str(table))
    assert found["states"] == {"done": 4}
    assert [cell["values"] for cell in found["cells"]] == [{"latent_size": 1}, {"latent_size": 2}]
    assert all(cell["seeds"] == 2 and cell["log_px"]["spread"] > 0 for cell in found["cells"])
    scores = [r["evaluation"]["log_px"] for r in found["runs"] if r["values"]["latent_size"] == 1]
    assert found["cells"][0]["log_px"]["mean"] == pytest.approx(sum(scores) / 2)
    assert found["rankings"]["log_px"]["errors"] == "seeds"
    assert "highest log p̂(x)" in found["sentences"][0]
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert [row["latent_size"] for row in rows] == ["1", "2"]
    again = record(capsys, *TWO)
    assert again["sweep"] == found["sweep"]
    assert again["runs"] == found["runs"]  # nothing was trained again
    more = record(capsys, "sweep", "--extend", found["sweep"], "--latent-size", "3")
    assert more["states"] == {"done": 6}
    assert {run["id"] for run in found["runs"]} < {run["id"] for run in more["runs"]}
    folder = RunStore().get(found["runs"][0]["id"]).folder
    size = sum(path.stat().st_size for path in folder.rglob("*"))
    assert bytes_of_run(RunStore().get(folder.name).config) == pytest.approx(size, rel=0.5)


def test_what_it_costs_is_said_before_and_a_dry_run_makes_nothing(
    capsys: pytest.CaptureFixture[str], runs: RunStore
) -> None:
    assert main([*TWO, "--dry-run"]) == 0
    assert "4 runs: about " in capsys.readouterr().err
    assert not runs.folder.exists()


def test_a_sweep_of_days_is_started_only_if_asked_for(
    capsys: pytest.CaptureFixture[str], runs: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "costs_of_all", lambda _: (1e6, 1e6))
    assert main(list(TWO)) == 1
    assert "would take about 12 days. Add --yes" in capsys.readouterr().err
    assert not runs.folder.exists()


def test_a_queued_sweep_is_left_to_the_worker(
    capsys: pytest.CaptureFixture[str], runs: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vae_core.runs.worker.ensure_worker", lambda _: True)
    found = record(capsys, *TWO, "--queue")
    assert found["states"] == {"queued": 4}
    assert record(capsys, "sweep", "--pause", found["sweep"])["states"] == {"paused": 4}
    assert main(["sweep", "--remove", found["sweep"]]) == 0
    assert not runs.runs()
    assert record(capsys, "sweep", "--list") == {"sweeps": []}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["sweep", "--epochs", "3"], "needs a setting with several values"),
        (["sweep", "--seed", "1", "2", "--seeds", "3"], "give one seed, or no --seeds"),
        (["sweep", "--latent-size", "2", "x"], "must be a whole number"),
        (["sweep", "--show", "gone", "--epochs", "3"], "--epochs is not allowed"),
    ],
)
def test_wrong_usage_is_said(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str], runs: RunStore
) -> None:
    if arguments[1] == "--show":
        made = SweepStore(runs).create(command.Grid.of({}, {"seed": [1, 2]}), state="paused")
        arguments = [made.id if word == "gone" else word for word in arguments]
    try:
        status = main(arguments)
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert sentence in capsys.readouterr().err


def test_a_sweep_that_does_not_exist_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--show", "gone"]) == 1
    assert "There is no sweep called gone." in capsys.readouterr().err


@pytest.mark.thorough
def test_a_sweep_that_was_killed_goes_on_with_the_same_arguments(
    capsys: pytest.CaptureFixture[str], runs: RunStore
) -> None:
    program = subprocess.Popen([sys.executable, "-m", "vae_core", *TWO], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 300
    while not any(run.status().state == "done" for run in runs.runs()):
        assert time.monotonic() < end
        assert program.poll() is None
        time.sleep(0.02)
    os.kill(program.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    program.wait()
    before = {run.id: run.status() for run in runs.runs()}
    found = record(capsys, *TWO)
    assert found["states"] == {"done": 4}
    assert {run["id"] for run in found["runs"]} == set(before)
    done = [run for run, status in before.items() if status.state == "done"]
    assert all(runs.get(run).status() == before[run] for run in done)

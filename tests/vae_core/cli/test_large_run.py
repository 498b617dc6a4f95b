"""``train`` with settings that would take very long or much memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vae_core.basics import memory
from vae_core.cli import costs
from vae_core.cli.main import main
from vae_core.runs import execution
from vae_core.runs.run import Run
from vae_core.training import cost

SMALL = ["--hidden-size", "8", "--hidden-layers", "1", "--epochs", "1"]


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stop the runs that these tests start, and take one speed for every computer."""
    monkeypatch.setattr(execution, "execute", lambda run, *_: run.update(state="stopped").state)
    monkeypatch.setattr(cost, "measure_speed", lambda *_: cost.Speed(1e-6, 1e-10, 1e-9))
    forget_costs()
    yield
    forget_costs()


def forget_costs() -> None:
    for each in (costs.costs_of, costs._speed):
        each.cache_clear()


def status_of(arguments: list[str]) -> int:
    return main(["train", *arguments])


def test_a_run_of_weeks_is_refused_with_the_option_that_starts_it_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = ["--hidden-size", "8192", "--hidden-layers", "8", "--epochs", "100000"]
    assert status_of(["--run", str(tmp_path / "run"), *large]) == 1
    said = capsys.readouterr().err
    assert "This run would take about " in said
    assert " days on this computer" in said
    assert "Add --yes to start it all the same." in said
    assert list(tmp_path.iterdir()) == []
    status_of(["--run", str(tmp_path / "run"), *large, "--yes"])
    assert Run.open(tmp_path / "run").config.train.epochs == 100_000


def test_an_epoch_of_minutes_is_said_before_it_starts_and_a_short_one_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flows = ["--posterior", "iaf", "--flow-steps", "64", "--flow-hidden-size", "2048", "--yes"]
    status_of(["--run", str(tmp_path / "long"), *flows, "--epochs", "2"])
    said = capsys.readouterr().err
    assert "An epoch of this run would take about " in said
    assert "fewer than 64 flow steps" in said
    status_of(["--run", str(tmp_path / "short"), *SMALL])
    assert "An epoch of this run" not in capsys.readouterr().err


def test_a_run_of_half_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(memory, "physical_memory", lambda: 200_000)
    forget_costs()
    assert status_of(["--run", str(tmp_path / "run"), *SMALL]) == 1
    assert " of memory. Add --yes" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    forget_costs()


def test_a_usual_run_needs_no_consent(tmp_path: Path) -> None:
    status_of(["--run", str(tmp_path / "run"), *SMALL])
    assert Run.open(tmp_path / "run").status().state == "stopped"

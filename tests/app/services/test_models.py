"""Every model of a list is shown in another way, however alike they are."""

from pathlib import Path

from app.services import models
from app.services.models import Choice
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig


def choice(folder: Path, title: str = "") -> Choice:
    run = create_run(folder, RunConfig.from_settings({"title": title}))
    return Choice(folder.name, run, "digest")


def test_runs_of_the_same_settings_are_told_apart_by_their_folders(tmp_path: Path):
    runs = [choice(tmp_path / name) for name in ("one-a1", "one-b2")]
    other = choice(tmp_path / "two-c3", "Mine")
    shown = models.labels({each.key: each for each in [*runs, other]})
    assert shown["one-a1"] == f"{runs[0].label} · a1"
    assert shown["one-b2"] == f"{runs[1].label} · b2"
    assert shown["two-c3"] == other.label


def test_copies_with_the_same_ending_are_told_apart_by_the_whole_of_it(tmp_path: Path):
    runs = [choice(tmp_path / name) for name in ("one-a1", "two-a1", "three-b2")]
    shown = models.labels({each.key: each for each in runs})
    assert len(set(shown.values())) == 3
    assert shown["one-a1"] == f"{runs[0].label} · one-a1"
    assert shown["three-b2"] == f"{runs[2].label} · b2"

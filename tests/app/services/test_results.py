"""Figures beside a run that cannot be read cost their own part of a page, and nothing else."""

import shutil
from pathlib import Path

import pytest

from app.services import results
from app.services.models import Choice
from vae_core.basics.paths import pretrained_folder
from vae_core.runs.run import Run


@pytest.fixture
def choice(tmp_path: Path) -> Choice:
    folder = tmp_path / "run"
    shutil.copytree(pretrained_folder() / "digits-mean-field-d16", folder)
    run = Run.open(folder)
    return Choice(run.id, run, run.checkpoint_digest())


@pytest.mark.parametrize("content", [b"", b"{}", b"not safetensors"])
def test_damaged_held_out_scores_are_none(choice: Choice, content: bytes):
    assert results.held_out(choice) is not None
    (choice.run.folder / "held_out.safetensors").write_bytes(content)
    assert results.held_out(choice) is None


def test_so_is_a_damaged_evaluation_and_a_damaged_calibration(choice: Choice):
    (choice.run.folder / "evaluation.json").write_text("[1]")
    (choice.run.folder / "calibration.safetensors").write_bytes(b"cut off")
    assert results.held_out(choice) is None
    assert results.calibration(choice) is None


def test_damage_is_told_and_a_repair_is_seen(choice: Choice):
    file = choice.run.folder / "calibration.safetensors"
    whole, before = file.read_bytes(), results.judged_by(choice)
    assert results.damage(choice) is None
    file.write_bytes(whole[:50])
    assert "damaged" in str(results.damage(choice))
    assert results.judged_by(choice) != before
    file.write_bytes(whole)
    assert results.damage(choice) is None
    assert results.calibration(choice) is not None

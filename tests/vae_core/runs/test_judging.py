"""Calibrations and detection reports are made once and kept, unless they cannot or must not be."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from tests.vae_core.handmade import change_weights
from vae_core.basics.progress import result_of
from vae_core.runs import judging
from vae_core.runs.judging import (
    completed_detection_steps,
    current_calibration_steps,
    new_calibration_steps,
    new_detection_steps,
)
from vae_core.runs.records import (
    CALIBRATION_FILE,
    DETECTION_FILE,
    calibration_of,
    detection_of,
    write_calibration,
    write_detection,
)
from vae_core.runs.run import Run
from vae_core.scoring.detection import kinds_for


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A copy of the finished run, without a calibration."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    return Run.open(folder)


def test_a_calibration_is_made_once_and_then_read(run, finished_model, digits):
    shares: list[float] = []
    made = result_of(new_calibration_steps(run, finished_model, digits, 40), shares.append)
    assert made.not_kept == ""
    assert shares == sorted(shares)
    assert made.record.protocol["images"] == 40
    (step,) = current_calibration_steps(run, finished_model, digits)  # nothing is measured
    read = step.result
    assert read is not None
    assert (read.record.protocol["images"], read.not_kept) == (40, "")


def test_where_it_cannot_be_written_it_is_used_all_the_same(run, finished_model, digits):
    (run.folder / CALIBRATION_FILE).mkdir()  # which no file can take the place of
    made = result_of(new_calibration_steps(run, finished_model, digits, 40))
    assert made.record.protocol["images"] == 40
    assert CALIBRATION_FILE in made.not_kept


def test_it_is_not_kept_beside_other_weights(run, finished_model, digits):
    steps = new_calibration_steps(run, finished_model, digits, 40)
    next(steps)
    change_weights(run.folder / "model.safetensors")
    assert result_of(steps).not_kept == "the run has other weights now."
    loaded_before = result_of(
        new_calibration_steps(run, finished_model, digits, 40, weights="those before")
    )
    assert loaded_before.not_kept
    assert not (run.folder / CALIBRATION_FILE).exists()


def test_a_detection_calibrates_first_and_both_are_kept(run, finished_model, digits, monkeypatch):
    monkeypatch.setattr(judging, "FEWEST_IMAGES", 5)
    shares: list[float] = []
    found = result_of(new_detection_steps(run, finished_model, digits, 5), shares.append)
    assert found.not_kept == ""
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert calibration_of(run) is not None
    kept = detection_of(run)
    assert kept is not None
    assert kept.own_images == 5


@pytest.mark.thorough
def test_a_report_of_few_images_or_of_folders_of_ones_own_is_not_kept(
    run, finished_model, digits, calibration
):
    write_calibration(calibration, run.folder)
    few = result_of(new_detection_steps(run, finished_model, digits, 5))
    assert few.not_kept == "it uses 5 own images, fewer than 50."
    mine = {"mine": digits.split("test")[0][:5]}
    own = result_of(new_detection_steps(run, finished_model, digits, 5, own_kinds=mine))
    assert "mine" in own.record.kinds
    assert "your own" in own.not_kept
    assert not (run.folder / DETECTION_FILE).exists()


@pytest.mark.thorough
def test_kinds_that_a_saved_report_lacks_are_added_as_a_new_report_has_them(
    run, finished_model, digits, calibration, monkeypatch
):
    write_calibration(calibration, run.folder)
    monkeypatch.setattr(judging, "FEWEST_IMAGES", 6)
    whole = result_of(new_detection_steps(run, finished_model, digits, 6, 3)).record
    older = {kind: whole.kinds[kind] for kind in ("constant", "noise", "black")}
    write_detection(dataclasses.replace(whole, kinds=older), run.folder)
    added = result_of(completed_detection_steps(run, finished_model, digits))
    assert added.not_kept == ""
    assert added.record == whole == detection_of(run)
    assert tuple(added.record.kinds) == kinds_for("digits")
    (step,) = completed_detection_steps(run, finished_model, digits)  # nothing is measured
    assert step.result is not None
    assert step.result.record == whole

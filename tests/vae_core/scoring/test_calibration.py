"""What scores are held against: made once, kept without images, refused where it does not fit."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save

from tests.vae_core.handmade import change_weights
from vae_core.inference.proposals import refined_log_density
from vae_core.runs.records import (
    CALIBRATION_FILE,
    calibrate_steps,
    calibration_of,
    write_calibration,
)
from vae_core.runs.run import Run, RunError
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.figures.table import FIGURES


@pytest.fixture
def run(finished: Run, calibration: Calibration, tmp_path: Path) -> Run:
    """A copy of the finished run with its calibration."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    write_calibration(calibration, folder)
    return Run.open(folder)


def test_what_was_written_is_read_again(run, calibration):
    found = calibration_of(run)
    assert found is not None
    assert dict(found.protocol) == json.loads(json.dumps(calibration.protocol))
    assert found.classifier.accuracy == calibration.classifier.accuracy
    for name, value in vars(calibration.latents).items():
        assert torch.equal(getattr(found.latents, name), value), name
    assert torch.equal(found.held_out.strata, calibration.held_out.strata)
    assert torch.equal(found.held_out.table, calibration.held_out.table)
    x = torch.zeros(2, 16)
    assert found.classifier(x) == calibration.classifier(x)
    assert torch.equal(found.reference.figures, calibration.reference.figures)


def test_the_protocol_is_in_the_file_and_no_image_is(run):
    with safe_open(run.folder / CALIBRATION_FILE, framework="pt") as file:
        protocol = json.loads(file.metadata()["protocol"])
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    assert protocol["dataset"] == "digits"
    assert protocol["split"] == "validation"
    assert protocol["binarisation"] == "dynamic"
    assert (protocol["images"], protocol["importance_samples"], protocol["seed"]) == (200, 200, 0)
    assert not [name for name, shape in shapes.items() if 64 in shape or 8 in shape]


@pytest.mark.slow
def test_held_out_figures_are_those_of_validation_images(finished_model, calibration, digits):
    from vae_core.data.pixels import evaluation_images

    x, _ = evaluation_images(digits, "validation", "dynamic", 0)
    expected = refined_log_density(finished_model, x[:30], 200, 0)
    torch.testing.assert_close(calibration.held_out.log_px[:30], expected.log_px)
    again = calibration.measure(finished_model, x[:10]).table
    torch.testing.assert_close(again, calibration.held_out.table[:10], rtol=0, atol=1e-3)


def test_a_held_out_image_finds_itself_where_it_stands(calibration):
    table = calibration.held_out.table
    judged = calibration.reference.judge(table)
    order = table[:, 2].argsort()
    assert judged[order[0]].percentiles["regret"] == pytest.approx(0.25)
    assert judged[order[-1]].percentiles["regret"] == pytest.approx(99.75)
    unlike = sum(j.verdict == "unlike the training data" for j in judged)
    assert 0 < unlike <= 0.05 * 201


def test_a_run_without_one_has_none(finished):
    assert calibration_of(finished) is None


def test_that_of_other_weights_or_of_another_version_is_not_used(run, calibration):
    weights = run.folder / "model.safetensors"
    kept = change_weights(weights)
    assert calibration_of(run) is None
    weights.write_bytes(kept)
    assert calibration_of(run) is not None
    other = {**calibration.protocol, "format": 0}
    parts = calibration.held_out, calibration.latents, calibration.classifier
    write_calibration(Calibration(*parts, other), run.folder)
    assert calibration_of(run) is None


def test_one_without_a_figure_of_the_table_is_none_and_not_damaged(run, monkeypatch):
    other = dataclasses.replace(FIGURES["log_px"], name="newer")
    monkeypatch.setitem(FIGURES, "newer", other)
    assert calibration_of(run) is None


def test_that_of_a_version_which_kept_other_figures_is_none_and_not_damaged(run, calibration):
    with safe_open(run.folder / CALIBRATION_FILE, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    protocol = {**calibration.protocol, "format": 1, "classifier_accuracy": 0.5}
    tensors["held_out.elbo"] = torch.zeros(200)
    (run.folder / CALIBRATION_FILE).write_bytes(save(tensors, {"protocol": json.dumps(protocol)}))
    assert calibration_of(run) is None


@pytest.mark.parametrize("damage", [lambda b: b[:1000], lambda _: b"", lambda _: b"{}" * 50])
def test_a_damaged_one_is_named(run, damage):
    path = run.folder / CALIBRATION_FILE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunError, match="Make it again"):
        calibration_of(run)


def test_it_goes_in_steps_and_can_be_left(finished, finished_model, digits):
    steps = calibrate_steps(finished, finished_model, digits, images=40)
    assert 0 < next(steps).share < next(steps).share < 1

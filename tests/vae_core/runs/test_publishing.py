"""A published model is small, and its figures are those of the weights it has."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from vae_core.analysis.neighbours import posterior_means
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.importance import log_density
from vae_core.runs import publishing
from vae_core.runs.checkpoint import load_model
from vae_core.runs.publishing import Effort, publish
from vae_core.runs.records import calibration_of, held_out_of
from vae_core.runs.run import Run

pytestmark = pytest.mark.slow

FILES = {
    "calibration.safetensors", "card.md", "config.json", "detection.json", "evaluation.json",
    "examples.safetensors", "held_out.safetensors", "latents.npz", "metrics.jsonl",
    "model.safetensors", "status.json",
}  # fmt: skip
K, IMAGES = 30, 50


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    for name in ("resume.pt", "worker.log"):
        (folder / name).write_bytes(b"not to be published")
    return Run.open(folder)


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "IMPORTANCE_SAMPLES", K)
    monkeypatch.setattr(publishing, "FOREIGN_IMAGES", 4)


def weight_types(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        return {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118


def test_it_holds_what_is_needed_to_use_it_and_no_more(run: Run, tmp_path: Path):
    folder = publish(run, tmp_path / "published", "a command", Effort(IMAGES))
    assert {path.name for path in folder.iterdir()} == FILES
    published = Run.open(folder)
    assert published.config == run.config
    assert published.status().pid is None
    last, original = published.metrics()[-1], run.metrics()[-1]
    assert len(published.metrics()) < 60
    assert last["epoch"] == original["epoch"]
    assert last["validation"]["elbo"] == pytest.approx(original["validation"]["elbo"], rel=1e-4)
    assert "Made by `a command`" in (folder / "card.md").read_text()
    calibration = calibration_of(published)
    assert calibration is not None
    assert calibration.protocol["images"] == 200
    assert weight_types(folder) == {"F32"}  # they are few


@pytest.mark.thorough
def test_large_weights_are_rounded_and_every_figure_is_of_the_rounded_ones(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Dataset
):
    monkeypatch.setattr(publishing, "_LARGE", 1000)
    folder = publish(run, tmp_path / "published", "a command", Effort(IMAGES))
    assert weight_types(folder) == {"F16"}
    model, original = load_model(folder), load_model(run.folder)
    for name, value in original.state_dict().items():
        assert torch.equal(model.state_dict()[name], value.half().float()), name
    x, _ = evaluation_images(digits, "test", "dynamic", 0, IMAGES)
    held_out = held_out_of(Run.open(folder))
    assert held_out is not None
    torch.testing.assert_close(held_out.log_px, log_density(model, x, K).log_px)
    assert not torch.equal(held_out.log_px, log_density(original, x, K).log_px)
    assert calibration_of(Run.open(folder)) is not None


def test_latents_of_all_test_images_are_kept(run: Run, tmp_path: Path, digits: Dataset):
    folder = publish(run, tmp_path / "published", "a command", Effort(IMAGES))
    x, labels = evaluation_images(digits, "test", "dynamic", 0)
    with np.load(folder / "latents.npz") as file:
        means, classes = file["mean"], file["label"]
    assert np.array_equal(classes, labels.numpy())
    expected = posterior_means(load_model(folder), x).numpy()
    assert np.abs(means - expected).max() < 0.008  # half a hundredth, and float16


def test_few_latents_are_kept_where_that_is_asked_for(run: Run, tmp_path: Path):
    effort = Effort(IMAGES, foreign_images=3, training_images=40, latents=30)
    folder = publish(run, tmp_path / "published", "a command", effort)
    with np.load(folder / "latents.npz") as file:
        assert len(file["mean"]) == len(file["label"]) == 30
    calibration = calibration_of(Run.open(folder))
    assert calibration is not None
    assert len(calibration.latents.points) == calibration.protocol["training_images"] == 40


@pytest.mark.thorough
def test_a_link_to_the_folder_stays_one(run: Run, tmp_path: Path):
    real, link = tmp_path / "real", tmp_path / "link"
    publish(run, real, "the first", Effort(IMAGES))
    link.symlink_to(real)
    publish(run, link, "the second", Effort(IMAGES))
    assert link.is_symlink()
    assert "the second" in (real / "card.md").read_text()
    assert {path.name for path in real.iterdir()} == FILES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real", "run"]


@pytest.mark.thorough
def test_a_stop_while_it_is_scored_loses_neither_the_scores_nor_the_model_before(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = publish(run, tmp_path / "published", "the first", Effort(IMAGES))
    run_again, before = Run.open(run.folder), folder.stat().st_ino
    monkeypatch.setattr(publishing, "calibrate_steps", lambda *_, **__: pytest.exit("stopped"))
    with pytest.raises(pytest.exit.Exception):
        publish(run_again, folder, "the second", Effort(2 * IMAGES))
    assert folder.stat().st_ino == before
    assert "the first" in (folder / "card.md").read_text()
    with safe_open(run.folder / "test_scores_encoder.safetensors", framework="pt") as file:
        assert file.get_slice("figures").get_shape() == [8, 2 * IMAGES]
    monkeypatch.undo()
    monkeypatch.setattr(publishing, "IMPORTANCE_SAMPLES", K)
    monkeypatch.setattr(publishing, "FOREIGN_IMAGES", 4)
    publish(run_again, folder, "the second", Effort(2 * IMAGES))
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["images"] == 2 * IMAGES
    assert "the second" in (folder / "card.md").read_text()

"""8-bit likelihoods through every command: in colour, not square; and in grey."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.vae_core.patches import INFO, Patches, add_patches
from vae_core.cli.main import main
from vae_core.runs.checkpoint import load_model
from vae_core.runs.run import CALIBRATION_FILE

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

SMALL = ["--latent-size", "2", "--learning-rate", "0.005", "--importance-every", "0"]
COLOUR = [
    "--dataset", "patches", "--likelihood", "discretised-logistic-mixture",
    "--mixture-components", "2", "--hidden-size", "16", *SMALL,
]  # fmt: skip
GREY = [
    "--dataset", "digits", "--likelihood", "discretised-logistic", "--hidden-size", "32", *SMALL,
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _patches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        add_patches(patch)
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run in colour and one in grey, both calibrated by their training."""
    folders = {}
    for name, arguments in (("colour", COLOUR), ("grey", GREY)):
        folders[name] = tmp_path_factory.mktemp(name) / "run"
        assert main(["train", *arguments, "--epochs", "3", "--run", str(folders[name])]) == 0
    return folders


@pytest.fixture
def run(request: pytest.FixtureRequest, runs: dict[str, Path]) -> Path:
    return runs[getattr(request, "param", "colour")]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "a.png"
    Image.fromarray(Patches(INFO).load()[0][-1].transpose(1, 2, 0)).save(path)
    return path


def output(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_training_makes_the_images_more_probable(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    elbo = [line["validation"]["elbo"] for line in lines if "validation" in line]
    assert elbo[-1] > elbo[0]
    assert (run / CALIBRATION_FILE).exists()


@pytest.mark.parametrize("run", ["colour", "grey"], indirect=True)
def test_an_evaluation_has_bits_per_dimension_of_8_bit_values(run, capsys):
    command = ["evaluate", str(run), "--importance-samples", "20", "--limit", "20"]
    assert main([*command, "--json"]) == 0
    figures = output(capsys)
    likelihood = json.loads((run / "config.json").read_text())["model"]["likelihood"]
    assert figures["pixels"] == f"8-bit values, {likelihood} probability"
    assert 0 < figures["bits_per_dim"] < 9
    assert figures["bits_per_dim_comparable"] is False
    assert main([*command, "--proposal", "refined"]) == 0
    printed = capsys.readouterr().out
    assert "bits/dim" in printed
    assert "comparable" not in printed


@pytest.mark.parametrize("run", ["colour", "grey"], indirect=True)
def test_an_image_is_scored_with_its_map(run, picture, capsys):
    command = ["score", str(run), str(picture), "--importance-samples", "50", "--pixel-maps"]
    assert main([*command, "--json"]) == 0
    row = output(capsys)["images"][0]
    model = load_model(run)
    assert row["verdict"]
    assert row["log_px"] is None or row["log_px"] < 0
    assert len(row["pixels_seen"]) == len(row["pixels_log_likelihood"]) == model.config.pixels
    assert max(row["pixels_log_likelihood"]) <= 0
    total = sum(row["pixels_log_likelihood"])
    assert total == pytest.approx(row["expected_log_likelihood"], rel=0.05)


@pytest.mark.thorough
def test_foreign_images_are_told_apart(runs, capsys):
    assert main(["detect", str(runs["colour"]), "--limit", "5", "--json"]) == 0
    kinds = output(capsys)["kinds"]
    assert kinds["noise"]["scores"]["combined"]["auroc"] > 0.95


@pytest.mark.thorough
def test_the_gap_is_split(run, capsys):
    assert main(["gap", str(run), "--limit", "1", "--json"]) == 0
    figures = output(capsys)
    assert figures["log_px"] < 0
    assert figures["approximation"] > -0.5
    assert figures["amortisation"] > -0.5


def test_samples_are_drawn_in_the_models_colours(runs, tmp_path):
    path = tmp_path / "samples.png"
    assert main(["sample", str(runs["colour"]), "--count", "4", "--out", str(path)]) == 0
    picture = np.asarray(Image.open(path)).astype(int)
    assert picture.ndim == 3
    assert np.ptp(picture, axis=-1).max() > 5


@pytest.mark.thorough
def test_an_interrupted_training_continues_to_the_same_weights(tmp_path, runs, monkeypatch):
    from vae_core.training.trainer import Training

    whole, folder = runs["colour"], tmp_path / "run"
    training, epochs = Training._epoch, []

    def interrupted(self):
        if len(epochs) == 2:
            raise KeyboardInterrupt
        epochs.append(self.progress.epoch)
        return training(self)

    monkeypatch.setattr(Training, "_epoch", interrupted)
    main(["train", *COLOUR, "--epochs", "3", "--run", str(folder)])
    monkeypatch.undo()
    with pytest.MonkeyPatch.context() as patch:
        add_patches(patch)
        assert main(["train", "--run", str(folder), "--resume"]) == 0
    before, after = load_model(whole).state_dict(), load_model(folder).state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_folder_is_copied_with_its_components(runs, tmp_path):
    shutil.copytree(runs["colour"], tmp_path / "copy")
    assert load_model(tmp_path / "copy").config.mixture_components == 2

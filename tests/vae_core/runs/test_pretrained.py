"""The models that come with the program: they load, and are what their cards say."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vae_core.analysis.evaluation import evaluate
from vae_core.analysis.neighbours import posterior_means
from vae_core.basics.paths import pretrained_folder
from vae_core.data.catalogue import at_hand
from vae_core.data.datasets import load_dataset
from vae_core.data.pixels import evaluation_images
from vae_core.runs.checkpoint import load_model
from vae_core.runs.kept_examples import examples_of
from vae_core.runs.recipes import EFFORTS, RECIPES
from vae_core.runs.records import calibration_of, detection_of, held_out_of
from vae_core.runs.run import Run
from vae_core.runs.store import find_run, pretrained_runs
from vae_core.settings.choices import POSTERIORS

NAMES = [run.id for run in pretrained_runs()]
OF_PX = [run.id for run in pretrained_runs() if not run.config.model.is_conditional]
"""Models of p(x). Those of p(x|y) have no verdict."""
MEGABYTE = 10**6
IMAGES = 100  # of each model are scored again
CLEARLY_FOREIGN = ("noise", "black", "white", "inverted", "permuted")


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@pytest.fixture
def model_run(name: str, request: pytest.FixtureRequest) -> Run:
    """The run of a model whose data set is on this computer; else the test is skipped."""
    run = find_run(f"pretrained/{name}")
    if run.config.dataset == "mnist":
        request.getfixturevalue("mnist_folder")
    elif not at_hand(run.config.dataset):
        pytest.skip(f"needs the data set {run.config.dataset}, which has to be added first")
    return run


def _marked(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.thorough) if "conv" in name else name


def test_every_recipe_has_its_model_and_all_are_small():
    assert set(NAMES) == set(RECIPES)
    files = [path for path in pretrained_folder().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 32 * MEGABYTE
    sizes = {run.id: size_of(run.folder) for run in pretrained_runs()}
    assert max(sizes.values()) < 7 * MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize("name", [_marked(name) for name in NAMES])
def test_the_card_tells_figures_that_can_be_measured_again(name, model_run):
    run = model_run
    wanted, held_out = run.evaluation(), held_out_of(run)
    assert wanted is not None
    assert held_out is not None
    assert wanted["log_px"] == pytest.approx(held_out.log_px.mean().item(), abs=1e-4)
    assert wanted["images"] == len(held_out.log_px)

    data = load_dataset(run.config.dataset)
    binarisation = run.config.train.binarisation
    found, scores = evaluate(load_model(run.folder), data, "test", binarisation, 200, IMAGES)
    for figure in ("dataset", "split", "binarisation", "seed"):
        assert found[figure] == wanted[figure]
    elbo = load_file(run.folder / "held_out.safetensors")["elbo"]
    assert found["elbo"] == pytest.approx(elbo[:IMAGES].mean().item(), abs=0.15)
    rise = held_out.log_px[:IMAGES] - scores.log_px  # from K = 200 to 5,000
    assert -0.05 < rise.mean() < 0.5 + 0.03 * run.config.model.latent_size
    card = (run.folder / "card.md").read_text()
    shown = re.search(r"\| log p\(x\) \| (-[\d.]+) ±", card)
    assert shown is not None
    assert float(shown.group(1)) == pytest.approx(wanted["log_px"], abs=0.006)
    assert f"python -m vae_core publish {name}" in card


def test_every_model_is_calibrated_by_the_weights_it_has():
    for run in map(find_run, (f"pretrained/{name}" for name in OF_PX)):
        calibration = calibration_of(run)
        assert calibration is not None, run.id
        assert calibration.protocol["dataset"] == run.config.dataset


@pytest.mark.parametrize("name", OF_PX)
def test_how_well_it_tells_foreign_images_apart_comes_with_it(name):
    run = find_run(f"pretrained/{name}")
    report, calibration = detection_of(run), calibration_of(run)
    assert report is not None
    assert calibration is not None
    assert report.calibration == calibration.protocol
    error = math.sqrt(report.level * (1 - report.level) / report.own_images)
    assert report.false_alarms < report.level + 3 * error
    of_photographs = run.config.model.image_shape[0] == 3  # negatives of photographs score as well
    for kind in ("noise", "permuted") if of_photographs else CLEARLY_FOREIGN:
        assert report.kinds[kind].called_unlike > 0.95, kind
    if name == "mnist-mean-field-d50":  # a shirt, a scribble
        assert min(report.kinds[kind].called_unlike for kind in ("shirts", "scribbles")) > 0.95
        assert report.false_alarms <= 0.05


@pytest.mark.parametrize("name", OF_PX)
def test_the_reports_of_examples_come_with_it(name):
    run = find_run(f"pretrained/{name}")
    kept, calibration = examples_of(run), calibration_of(run)
    assert kept is not None
    assert calibration is not None
    assert kept.protocol == calibration.protocol
    own, stand_ins = 7, 5  # of the stand-ins the blank image and the noise are the same
    expected = own if run.config.dataset == "digits" else own + stand_ins
    assert len(kept.reports) == expected


@pytest.mark.parametrize("name", OF_PX)
def test_the_latents_of_test_images_come_with_it(name, model_run):
    run = model_run
    with np.load(run.folder / "latents.npz") as file:
        means, classes = file["mean"], file["label"]
    data, binarisation = load_dataset(run.config.dataset), run.config.train.binarisation
    kept = EFFORTS.get(name, {}).get("latents")
    x, labels = evaluation_images(data, "test", binarisation, 0, kept)
    assert np.array_equal(classes, labels.numpy())
    expected = posterior_means(load_model(run.folder), x[:IMAGES]).numpy()
    assert np.abs(means[:IMAGES] - expected).max() < 0.01


def test_each_family_has_a_posterior_for_one_and_the_same_decoder():
    root = "digits-full-d2"
    families = {}
    for run in pretrained_runs():
        if run.id == root or run.config.decoder_of == f"pretrained/{root}":
            families[run.config.model.posterior] = load_model(run.folder).decoder.state_dict()
    assert set(families) == set(POSTERIORS)
    for weights in families.values():
        for name, value in families["full"].items():
            assert torch.equal(weights[name], value)


def test_settings_are_written_as_they_were_trained():
    for run in pretrained_runs():
        written = json.loads((run.folder / "config.json").read_text())
        settings = run.config.settings()
        assert {name: settings[name] for name in RECIPES[run.id]} == dict(RECIPES[run.id])
        assert written["model"]["posterior"] == run.config.model.posterior

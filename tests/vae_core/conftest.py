"""Data sets, models and runs that several tests share."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vae_core.basics.paths import data_folder, pretrained_folder
from vae_core.basics.progress import result_of
from vae_core.data.datasets import Dataset, load_dataset
from vae_core.data.pixels import evaluation_images
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.runs.records import calibrate_steps
from vae_core.runs.run import Run
from vae_core.scoring.calibration import Calibration
from vae_core.settings.choices import POSTERIORS, PosteriorName

torch.set_num_threads(1)  # with such small models, more threads only wait for each other

FAMILIES = POSTERIORS
ONE_MODE = [3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 19]
"""Test digits whose p(z|x) has one mode under ``digits-full-d2``.

Images 0 to 2 have a second one. Draws of a q(z|x) that misses it lose 0.3 to 0.5 nats of log p(x),
and their weights cannot show it. Images 7 and 9 have 3 % of p(z|x) in a long tail.
"""
SLOW_FIXTURES = {  # they train or score for over a second
    "trained", "calibration", "digit_gap", "gaussian_chains", "report", "states",
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(scope="session")
def test_digits(digits: Dataset) -> Tensor:
    """Binarised test digits, (300, 1, 8, 8)."""
    return evaluation_images(digits, "test", "dynamic", seed=0)[0]


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """Folder of the MNIST files; skips the test if VAE_DATA_DIR has none."""
    own = data_folder()
    for folder in [own / "mnist", own] if own else []:
        if list(folder.glob("t10k-images-idx3-ubyte*")):
            return folder
    pytest.skip("no MNIST in VAE_DATA_DIR")


@pytest.fixture(scope="session")
def mnist(mnist_folder: Path) -> Dataset:
    assert mnist_folder
    return load_dataset("mnist")


@pytest.fixture(scope="session")
def trained() -> Callable[[PosteriorName], VAE]:
    """A function that returns the d = 2 model of the digits with this family.

    All of them have the decoder of ``digits-full-d2``, so p(x) and p(z|x) are the same.
    """

    @cache
    def load(family: PosteriorName) -> VAE:
        name = "digits-full-d2" if family == "full" else f"digits-full-d2-{family}"
        return load_model(pretrained_folder() / name)

    return load


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on the digits, d = 16, without calibration or report. Do not change it."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    pretrained = pretrained_folder() / "digits-mean-field-d16"
    shutil.copytree(pretrained, folder, ignore=shutil.ignore_patterns("calibration*", "detection*"))
    return Run.open(folder)


@pytest.fixture(scope="session")
def finished_model(finished: Run) -> VAE:
    return load_model(finished.folder)


@pytest.fixture(scope="session")
def calibration(finished: Run, finished_model: VAE, digits: Dataset) -> Calibration:
    """The calibration of the finished run, with 200 images."""
    return result_of(calibrate_steps(finished, finished_model, digits))


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)

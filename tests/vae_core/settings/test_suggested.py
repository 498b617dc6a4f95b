"""The likelihood that a data set suggests: for bits, for shades, for colours."""

import dataclasses

import numpy as np
import pytest

from tests.vae_core.patches import INFO, Patches
from vae_core.data.catalogue import BUILT_IN
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import DatasetInfo, known_datasets
from vae_core.settings.suggested import (
    likelihood_sentence,
    size_sentence,
    suggested_likelihood,
    suggested_settings,
)


def counts(**shares: int) -> list[int]:
    """256 counts, for shares of black, between and white."""
    found = [0] * 256
    found[0], found[255] = shares.get("black", 0), shares.get("white", 0)
    found[100] = shares.get("between", 0)
    return found


@pytest.mark.parametrize(
    ("shares", "channels", "name"),
    [
        ({"black": 80, "between": 8, "white": 12}, 1, "bernoulli"),
        ({"black": 5, "white": 95}, 1, "bernoulli"),
        ({"black": 80, "between": 12, "white": 8}, 1, "discretised-logistic"),
        ({"black": 40, "between": 20, "white": 40}, 1, "discretised-logistic"),
        ({"black": 100}, 1, "bernoulli"),
        ({"black": 50, "between": 1, "white": 49}, 3, "discretised-logistic-mixture"),
        ({"black": 50, "white": 50}, 3, "bernoulli"),
    ],
)
def test_binary_images_are_bernoulli_and_others_have_256_values(shares, channels, name):
    assert suggested_likelihood(counts(**shares), channels) == name


def add(patch: pytest.MonkeyPatch, **suggested: object) -> DatasetInfo:
    info = dataclasses.replace(INFO, suggested=suggested)
    patch.setitem(BUILT_IN, info.name, Patches(info))
    return info


def test_a_run_takes_the_likelihood_that_its_data_set_suggests(monkeypatch):
    images = Patches(INFO).load()[0]
    found = suggested_settings(np.bincount(images.ravel(), minlength=256).tolist(), 3, 1600)
    add(monkeypatch, **found)
    config = RunConfig.from_settings({"dataset": "patches"})
    assert config.model.likelihood == "discretised-logistic-mixture"
    assert config.train.binarisation == "none"
    assert likelihood_sentence(config) == (
        "The likelihood is discretised-logistic-mixture, because the images are in colour."
    )
    assert config.model.network == "corrected-linear"
    assert (config.model.latent_size, config.train.epochs) == (64, 50)
    assert size_sentence(config) == (
        f"Latent size 64 and 50 epochs are suggested for {INFO.sizes['train']:,} training images."
    )


@pytest.mark.parametrize(
    ("images", "latent_size", "epochs"),
    [(1, 2, 200), (40, 2, 200), (240, 8, 200), (1000, 32, 80), (44_444, 64, 10)],
)
def test_few_images_suggest_few_dimensions_and_many_epochs(images, latent_size, epochs):
    found = suggested_settings(counts(between=100), 1, images)
    assert (found["latent_size"], found["epochs"]) == (latent_size, epochs)


def test_other_sizes_are_not_called_suggested(monkeypatch):
    add(monkeypatch, **suggested_settings(counts(between=100), 1, 1600))
    assert size_sentence(RunConfig.from_settings({"dataset": "patches", "epochs": 3})) is None
    assert size_sentence(RunConfig.from_settings({"dataset": "digits"})) is None


def test_what_is_chosen_goes_before_what_is_suggested(monkeypatch):
    add(monkeypatch, likelihood="discretised-logistic", binarisation="none")
    for chosen in ({"likelihood": "bernoulli"}, {"binarisation": "dynamic"}):
        config = RunConfig.from_settings({"dataset": "patches", **chosen})
        assert (config.model.likelihood, config.train.binarisation) == ("bernoulli", "dynamic")
        assert likelihood_sentence(config) is None


def test_stored_runs_keep_their_likelihood(monkeypatch):
    add(monkeypatch)
    before = RunConfig.from_settings({"dataset": "patches"})
    stored = before.to_dict()
    add(monkeypatch, likelihood="discretised-logistic", binarisation="none")
    assert RunConfig.from_dict(stored).model.likelihood == "bernoulli"
    assert RunConfig.from_settings(before.settings()) == before


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion-mnist", "kmnist"])
def test_built_in_data_sets_keep_their_default(name):
    assert "likelihood" not in known_datasets()[name].suggested
    config = RunConfig.from_settings({"dataset": name})
    assert (config.model.likelihood, config.train.binarisation) == ("bernoulli", "dynamic")

"""Settings: every one explains itself, is checked, and survives the way through JSON."""

import dataclasses
import json
import re
from typing import Any, cast

import numpy as np
import pytest

from vae_core.settings.choices import pixels_as
from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig
from vae_core.settings.data_sets import find_dataset, known_datasets
from vae_core.settings.fields import ConfigError, settings_of

EVERYTHING = [s for kind in (RunConfig, ModelConfig, TrainConfig) for s in settings_of(kind)]


@pytest.mark.parametrize("about", EVERYTHING, ids=lambda s: s.name)
def test_every_setting_explains_itself(about):
    assert about.label
    assert about.help.endswith(".")
    assert about.choices or about.bounds or about.kind is str
    assert set(about.titles) <= set(about.choices or ())


@pytest.mark.parametrize("about", [s for s in EVERYTHING if s.bounds], ids=lambda s: s.name)
def test_bounds_are_enforced_on_both_sides(about):
    low, high = about.bounds
    for value in (low, high):
        RunConfig.from_settings({about.name: value})
    for value in (low - 1, high + 1, float("nan")):
        with pytest.raises(ConfigError, match=re.escape(about.label)):
            RunConfig.from_settings({about.name: value})


@pytest.mark.parametrize("value", ["2", None, True, 2.5, [2]])
def test_a_whole_number_must_be_one(value):
    with pytest.raises(ConfigError, match="whole number"):
        ModelConfig(latent_size=value)


@pytest.mark.parametrize("name", [s.name for s in EVERYTHING if s.choices])
def test_a_choice_must_be_one_of_them(name):
    with pytest.raises(ConfigError, match="must be one of"):
        RunConfig.from_settings({name: "something else"})


def test_json_and_back():
    config = RunConfig.from_settings(
        {"dataset": "mnist", "posterior": "iaf", "learning_rate": 3e-4, "title": "ü"}
    )
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert RunConfig.from_settings(config.settings()) == config


@pytest.mark.parametrize("place", ["", "model", "train"])
def test_unknown_keys_are_refused(place):
    values = RunConfig().to_dict()
    (values[place] if place else values)["surprise"] = 1
    with pytest.raises(ConfigError, match="surprise"):
        RunConfig.from_dict(values)


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="surprise"):
        RunConfig.from_settings({"surprise": 1})


def test_a_model_of_another_image_size_does_not_fit_the_data():
    with pytest.raises(ConfigError, match="Digits"):
        RunConfig(dataset="digits", model=ModelConfig(image_shape=(1, 28, 28)))


def test_configs_cannot_change_after_they_were_checked():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ModelConfig().latent_size = 0  # type: ignore[misc]


@pytest.mark.parametrize("name", known_datasets())
def test_every_data_set_has_a_run(name):
    shape = RunConfig.from_settings({"dataset": name}).model.image_shape
    assert shape == find_dataset(name).image_shape


def test_a_protocol_says_how_pixels_entered():
    assert RunConfig().pixels == "dynamic binarisation"
    grey = RunConfig.from_settings({"binarisation": "none"})
    assert grey.pixels == "grey values, not a likelihood"
    density = RunConfig.from_settings({"likelihood": "gaussian"})
    assert density.pixels == "grey values, gaussian density"
    assert "gaussian" in density.name
    with pytest.raises(ConfigError, match="binarisation to none"):
        pixels_as("threshold", "continuous-bernoulli")


def test_numbers_of_numpy_are_numbers() -> None:
    numbers: dict[str, Any] = {"latent_size": np.int64(4), "classes": np.int32(3)}
    model = ModelConfig(image_shape=cast(Any, np.array([1, 8, 8])), **numbers)
    assert (model.latent_size, model.image_shape, model.classes) == (4, (1, 8, 8), 3)
    assert all(type(each) is int for each in (model.latent_size, *model.image_shape))
    train = TrainConfig(learning_rate=np.float32(0.5), epochs=np.int16(3))  # type: ignore[arg-type]
    assert (train.learning_rate, train.epochs) == (0.5, 3)
    assert ModelConfig.from_dict(model.to_dict()) == model
    with pytest.raises(ConfigError, match="whole number"):
        ModelConfig(latent_size=np.float32(2.5))  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [28, (28, 28), "abc", None, (1, 0, 3)])
def test_an_image_shape_that_is_none_is_refused_in_a_sentence(shape: Any) -> None:
    with pytest.raises(ConfigError, match=r"must be \(channels, height, width\)"):
        ModelConfig(image_shape=shape)

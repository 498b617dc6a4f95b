"""The criterion that chooses the kept epoch is the objective that is trained."""

import math
from typing import Any

import pytest
import torch

from tests.benchmarks.kept_epoch import choice_of
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.settings.config import RunConfig
from vae_core.training.criterion import criterion
from vae_core.training.objective import training_loss
from vae_core.training.trainer import EpochDone, Training
from vae_core.training.validation import criterion_values, evaluate_epoch

OBJECTIVES: list[dict[str, Any]] = [
    {},
    {"samples": 3},
    {"iwae_samples": 5},
    {"iwae_samples": 50, "gradient": "dreg"},
    {"beta": 0.0},
    {"beta": 4.0},
    {"beta": 4.0, "iwae_samples": 5},
    {"class_head": "mlp"},
    {"class_head": "linear", "iwae_samples": 5},
    {"free_bits": 0.001},
    {"posterior": "planar", "beta": 0.1},
]


def training_of(digits: Dataset, **settings: Any) -> Training:
    quick = {"epochs": 1, "hidden_size": 16, "importance_every": 0}
    return Training(RunConfig.from_settings({**quick, **settings}), digits)


@pytest.mark.parametrize("settings", OBJECTIVES, ids=str)
def test_the_criterion_is_minus_the_loss_of_the_same_draws(
    digits: Dataset, settings: dict[str, Any]
) -> None:
    training = training_of(digits, **settings)
    config = training.config.train
    if config.gradient == "dreg":  # whose loss has the gradient of the objective, not its value
        config = RunConfig.from_settings({**settings, "gradient": "pathwise"}).train
    x, y = (each[:20] for each in evaluation_images(digits, "validation", "dynamic", 0))
    labels = y if training.model.class_head else None
    generator = torch.Generator().manual_seed(7)
    loss, _ = training_loss(training.model, x, config, config.beta, generator, labels)
    value, _ = criterion(criterion_values(training.model, x, y, config, seed=7), config)
    assert math.isclose(value, -float(loss.detach()), rel_tol=1e-5)


def test_the_criterion_of_the_elbo_is_the_validation_elbo_bit_for_bit(digits: Dataset) -> None:
    training = training_of(digits)
    found = evaluate_epoch(training.model, training.data, training.config.train)
    assert found.criterion["value"] == found.validation["elbo"]
    assert found.criterion["value_se"] == found.validation["elbo_se"]


@pytest.mark.parametrize("settings", [{"iwae_samples": 5}, {"free_bits": 3.0}, {"beta": 4.0}])
def test_the_noise_is_the_same_in_every_epoch(digits: Dataset, settings: dict[str, Any]) -> None:
    training = training_of(digits, **settings)
    measure = lambda: evaluate_epoch(training.model, training.data, training.config.train)  # noqa: E731
    first = measure().criterion
    torch.rand(3)  # other random numbers of the program do not matter
    assert measure().criterion == first


@pytest.mark.parametrize("gradient", ["sticking-the-landing", "score-function"])
def test_the_estimators_of_one_objective_share_its_criterion(
    digits: Dataset, gradient: str
) -> None:
    pathwise, other = training_of(digits), training_of(digits, gradient=gradient)
    values = [
        evaluate_epoch(each.model, each.data, each.config.train).criterion["value"]
        for each in (pathwise, other)
    ]
    assert values[0] == values[1]


def test_a_kl_within_the_free_bits_costs_the_free_bits(digits: Dataset) -> None:
    training = training_of(digits, free_bits=1000.0, beta=0.5)
    found = evaluate_epoch(training.model, training.data, training.config.train)
    expected = found.validation["log_px_z"] - 0.5 * 1000
    assert math.isclose(found.criterion["value"], expected, rel_tol=1e-6)


def test_the_record_says_which_objective_was_measured_and_how(digits: Dataset) -> None:
    settings = {"iwae_samples": 5, "beta": 2.0, "free_bits": 1.0, "class_head": "linear"}
    training = training_of(digits, **settings)
    row = next(e.metrics for e in training.events() if isinstance(e, EpochDone))
    found = {name: value for name, value in row["criterion"].items() if "value" not in name}
    assert found == {
        "iwae_samples": 5, "beta": 2.0, "free_bits": 1.0, "classes": True, "dataset": "digits",
        "split": "validation", "binarisation": "dynamic", "images": 200, "samples": 1, "seed": 0,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [{"iwae_samples": 20}, {"beta": 0.0}, {"free_bits": 10.0}], ids=str
)
def test_the_kept_epoch_is_within_noise_of_the_best(
    digits: Dataset, settings: dict[str, Any]
) -> None:
    small = {"hidden_size": 64, "kl_warmup_epochs": 1, "epochs": 12}
    choice = choice_of({**small, **settings}, digits, repeats=3, log_px_samples=50)
    assert choice.loss < 0.2 * choice.se
    if "iwae_samples" in settings:
        assert choice.kept_log_px >= choice.last_log_px - 0.05

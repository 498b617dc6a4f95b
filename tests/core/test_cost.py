"""The cost of a run before it starts: exact parameters, and work that grows as it should."""

import dataclasses

import pytest
import torch

from vae_core import cost
from vae_core.config import DATASETS, ModelConfig, RunConfig
from vae_core.objectives import elbo_terms
from vae_core.vae import VAE

SETTINGS = [
    {"posterior": "mean-field"},
    {"posterior": "full", "latent_size": 7},
    {"posterior": "planar", "flow_steps": 5},
    {"posterior": "iaf", "flow_steps": 3, "latent_size": 3},
    {"network": "conv", "channels": 4},
    {"dataset": "mnist", "network": "conv", "channels": 4, "posterior": "iaf"},
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_parameters_are_those_of_the_model(settings: dict) -> None:
    config = RunConfig.from_settings(settings).model
    built = sum(each.numel() for each in VAE(config).parameters())
    assert cost.parameters(config) == built


@pytest.mark.parametrize("settings", SETTINGS)
def test_products_are_counted_as_pytorch_counts_them(settings: dict) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    config = RunConfig.from_settings(settings).model
    work, _ = cost._Evaluation.of(config)
    x = torch.zeros(6, *config.image_shape)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        elbo_terms(VAE(config), x, 3)
    assert work(6, 3).flops == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_a_model_too_large_to_be_built_is_counted_all_the_same() -> None:
    small = ModelConfig(posterior="planar", image_shape=(1, 8, 8))
    large = dataclasses.replace(small, hidden_size=8192, hidden_layers=16)
    assert cost.parameters(large) > 2e9
    run = RunConfig(model=large)
    assert cost.epoch_work(run).flops > 1e4 * cost.epoch_work(RunConfig(model=small)).flops


def test_both_ways_of_counting_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunConfig.from_settings({"posterior": "iaf", "network": "conv", "channels": 4})
    built = cost.epoch_work(run)
    monkeypatch.setattr(cost, "_LARGE", 0)
    on_paper = cost.epoch_work(run)
    assert on_paper.flops == built.flops
    assert on_paper.values == pytest.approx(built.values, rel=0.01)


def test_more_samples_more_work_and_the_validation_pass_counts() -> None:
    def work(**settings: int) -> cost.Work:
        return cost.epoch_work(RunConfig.from_settings({"importance_every": 0, **settings}))

    once, often = work(), work(samples=10)
    assert 3 < often.flops / once.flops < 10  # the encoder runs once for all samples
    assert work(importance_every=1).flops > once.flops
    steps = DATASETS["digits"].sizes["train"] / 128
    assert once.calls > 100 * steps


def test_the_speed_of_this_computer_is_plausible() -> None:
    speed = cost.measure_speed(torch.device("cpu"))
    assert 1e-8 < speed.call < 1e-3
    assert 1e-14 < speed.flop < 1e-8
    assert speed.seconds(cost.Work(flops=1e9)) == pytest.approx(1e9 * speed.flop)

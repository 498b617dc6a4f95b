"""The cost of a run before it starts: exact parameters, and work that grows as it should."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from vae_core.inference.elbo import elbo_terms
from vae_core.model.vae import VAE
from vae_core.scoring.figures.regret import likelihood_regret
from vae_core.settings.choices import POSTERIORS, PosteriorName
from vae_core.settings.config import ModelConfig, RunConfig
from vae_core.settings.data_sets import find_dataset
from vae_core.training import cost

SETTINGS = [
    {"posterior": "mean-field"},
    {"posterior": "full", "latent_size": 7},
    {"posterior": "planar", "flow_steps": 5},
    {"posterior": "iaf", "flow_steps": 3, "latent_size": 3},
    {"network": "conv", "channels": 4},
    {"network": "corrected-linear", "channels": 4},
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

    config = RunConfig.from_settings({**settings, "importance_every": 0})
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        elbo_terms(VAE(config.model), torch.zeros(6, *config.model.image_shape), 3)
    work = cost._work_of_terms(cost._on_meta_device(config.model), 6, 3)
    assert work.flops == counter.get_total_flops() > 0


@pytest.mark.slow
@pytest.mark.parametrize("posterior", POSTERIORS)
@pytest.mark.parametrize("latent_size", [1, 2, 16])
def test_every_family_takes_work_that_grows_with_its_samples(
    posterior: PosteriorName, latent_size: int
) -> None:
    def work(samples: int) -> tuple[float, float, float]:
        return dataclasses.astuple(
            cost.epoch_work(
                RunConfig.from_settings(
                    {"posterior": posterior, "latent_size": latent_size, "samples": samples}
                )
            )
        )

    one, two, many = work(1), work(2), work(20)
    assert min(one) > 0
    assert one[1] < two[1] < many[1]
    assert two[2] < many[2]
    assert many[0] <= two[0]  # as many operations, on more numbers


def test_a_model_too_large_to_be_built_is_counted_all_the_same() -> None:
    small = ModelConfig(posterior="planar", image_shape=(1, 8, 8))
    large = dataclasses.replace(small, hidden_size=8192, hidden_layers=16)
    assert cost.parameters(large) > 2e9
    run = RunConfig(model=large)
    assert cost.epoch_work(run).flops > 1e4 * cost.epoch_work(RunConfig(model=small)).flops


def test_more_samples_more_work_and_the_validation_pass_counts() -> None:
    def work(**settings: int) -> cost.Work:
        return cost.epoch_work(RunConfig.from_settings({"importance_every": 0, **settings}))

    once, often = work(), work(samples=10)
    assert 3 < often.flops / once.flops < 10  # the encoder runs once for all samples
    assert work(importance_every=1).flops > once.flops
    assert work(iwae_samples=10).flops > 2 * once.flops
    steps = find_dataset("digits").sizes["train"] / 128
    assert once.calls > 100 * steps


def test_the_speed_of_this_computer_is_plausible() -> None:
    speed = cost.measure_speed(torch.device("cpu"))
    assert 1e-8 < speed.call < 1e-3
    assert 1e-14 < speed.flop < 1e-8
    assert speed.seconds(cost.Work(flops=1e9)) == pytest.approx(1e9 * speed.flop)


@pytest.mark.slow
def test_another_thread_may_take_gradients_meanwhile():
    """A page counts the work of a form while another one's score is computed."""
    model = VAE(ModelConfig(latent_size=2, hidden_size=8, image_shape=(1, 8, 8)))
    x = torch.rand(2, 1, 8, 8)
    with ThreadPoolExecutor(1) as other:
        counting = other.submit(lambda: [cost.epoch_work(RunConfig()) for _ in range(20)])
        while not counting.done():
            likelihood_regret(model, x)
        assert len({work.flops for work in counting.result()}) == 1


def test_the_criterion_and_the_calibration_are_part_of_the_cost() -> None:
    def work(**settings: int) -> cost.Work:
        return cost.epoch_work(RunConfig.from_settings({"importance_every": 0, **settings}))

    plain = work(samples=50)
    assert work(iwae_samples=50).calls > plain.calls  # which evaluates the bound once more
    flow = RunConfig.from_settings({"posterior": "planar", "flow_steps": 2})
    scored = cost._work_of_terms(cost._on_meta_device(flow.model), 300, 200)
    assert cost.final_work(flow).calls > 100 * scored.calls


def test_the_memory_of_a_run_grows_with_its_weights_and_with_what_a_step_keeps() -> None:
    small = cost.memory(RunConfig.from_settings({}))
    wide = RunConfig.from_settings({"hidden_size": 2048, "hidden_layers": 4})
    weights = 4 * cost.parameters(wide.model)
    assert 6 * weights < cost.memory(wide) < 8 * weights
    assert cost.memory(RunConfig.from_settings({"iwae_samples": 50})) > 5 * small

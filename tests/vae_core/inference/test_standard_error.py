"""Sampling until a standard error is reached, or saying that it was not."""

from dataclasses import fields

import pytest
import torch

from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.basics.paths import pretrained_folder
from vae_core.inference.importance import FEWEST_SAMPLES, log_density, log_density_to
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model


@pytest.fixture(scope="module")
def model() -> VAE:
    return load_model(pretrained_folder() / "digits-full-d2")


@pytest.mark.slow
def test_every_image_reaches_the_error_asked_for_or_it_is_said(model, test_digits):
    x, wanted = test_digits[:20], 0.01
    result = log_density_to(model, x, wanted, most=40_000)
    done = result.reached
    assert done.any()
    assert (result.density.se[done] <= wanted).all()
    assert (result.density.pareto_k[done] <= 0.7).all()
    assert (result.samples[done] >= FEWEST_SAMPLES).all()
    assert (result.samples[~done] == 40_000).all()
    rest = (result.density.se <= wanted) & (result.density.pareto_k <= 0.7)
    assert torch.equal(done, rest)


@pytest.mark.slow
def test_it_is_the_estimate_of_as_many_samples(model, test_digits):
    x = test_digits[:12]
    result = log_density_to(model, x, 0.015, most=20_000)
    assert len(result.samples.unique()) > 1
    for i in range(len(x)):
        fixed = log_density(model, x[i : i + 1], int(result.samples[i]))
        for each in fields(fixed):
            if each.name != "pareto_k":  # a fixed K keeps a tail of just its own length
                torch.testing.assert_close(
                    getattr(result.density, each.name)[i : i + 1],
                    getattr(fixed, each.name),
                    rtol=1e-4,
                    atol=1e-4,
                    equal_nan=True,
                )


@pytest.mark.slow
def test_a_smaller_error_takes_more_samples(model, test_digits):
    coarse, fine = (log_density_to(model, test_digits[:6], se, most=30_000) for se in (0.03, 0.01))
    assert (fine.samples >= coarse.samples).all()
    assert fine.samples.sum() > coarse.samples.sum()


def test_an_image_that_is_done_costs_no_more(model, test_digits):
    decoded = 0

    def count(_module: object, inputs: tuple[torch.Tensor]) -> None:
        nonlocal decoded
        decoded += len(inputs[0])

    hook = model.decoder.register_forward_pre_hook(count)
    result = log_density_to(model, test_digits[:12], 0.015, most=20_000)
    hook.remove()
    assert decoded == result.samples.sum()


def test_an_error_out_of_reach_is_said_not_to_be_reached(model, test_digits):
    result = log_density_to(model, test_digits[:3], 1e-6, most=2500)
    assert not result.reached.any()
    assert (result.samples == 2500).all()


def test_an_error_that_cannot_be_believed_does_not_count():
    """q far too narrow: the weights hardly vary until one from the tail comes along."""
    truth = linear_gaussian(2, 10)
    x, _ = simulated(truth, 6)
    result = log_density_to(linear_vae(truth, narrowing=6.0), x, 0.2, most=3000)
    heavy = result.density.pareto_k > 0.7
    assert heavy.any()
    assert (result.density.se[heavy]).isnan().all()
    assert not (result.reached & heavy).any()


def test_too_few_samples_reach_nothing(model, test_digits):
    assert not log_density_to(model, test_digits[:2], 10.0, most=FEWEST_SAMPLES - 1).reached.any()


def test_progress_rises_to_the_end(model, test_digits):
    seen: list[float] = []
    log_density_to(model, test_digits[:20], 0.02, most=5000, on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_what_makes_no_sense_is_refused(model, test_digits):
    with pytest.raises(ValueError, match="positive"):
        log_density_to(model, test_digits[:1], 0.0)
    with pytest.raises(ValueError, match="1 to 1,000,000"):
        log_density_to(model, test_digits[:1], 0.1, most=0)
    assert log_density_to(model, test_digits[:0], 0.1).samples.shape == (0,)

"""AIS and BDMC against exact values, and around importance sampling on trained models."""

import itertools
import math

import pytest
import torch

from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.basics.paths import pretrained_folder
from vae_core.inference.annealing import (
    Annealing,
    ais,
    ais_steps,
    bdmc,
    bdmc_steps,
    sigmoid_schedule,
    simulate,
)
from vae_core.inference.importance import log_density
from vae_core.model.batches import FLOATS_AT_ONCE
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.settings.config import ModelConfig

QUICK = Annealing(chains=1, temperatures=6, leapfrog_steps=3)


def log_mean_exp(values: torch.Tensor) -> tuple[float, float]:
    """log of the mean of exp(values) and its standard error."""
    weights = values.softmax(0)
    se = (weights.square().sum() - 1 / len(values)).sqrt()
    return (values.logsumexp(0) - math.log(len(values))).item(), se.item()


def test_the_schedule_rises_from_0_to_1_slowly_at_both_ends():
    betas = sigmoid_schedule(100)
    steps = betas.diff()
    assert (betas[0], betas[-1]) == (0, 1)
    assert (steps > 0).all()
    torch.testing.assert_close(steps, steps.flip(0))
    assert steps[50] > 10 * steps[0]
    expected = [1 / (1 + math.exp(-4 * (2 * t / 100 - 1))) for t in (0, 30, 100)]
    assert math.isclose(betas[30], (expected[1] - expected[0]) / (expected[2] - expected[0]))


def test_a_single_temperature_is_importance_sampling_from_the_prior():
    truth = linear_gaussian(2, 5)
    model, (x, _) = linear_vae(truth), simulated(truth, 3)
    *_, running = ais_steps(model, x, Annealing(chains=7, temperatures=1))
    torch.testing.assert_close(running.log_w, model.log_likelihood(x, running.z))
    mean = running.log_w.exp().mean(0).log()
    torch.testing.assert_close(running.estimate().log_px, mean)
    assert running.estimate().acceptance.isnan().all()


def test_the_weights_are_unbiased_forwards():
    """Few temperatures and poor mixing: each weight is rough, their mean is p(x) all the same."""
    truth = linear_gaussian(2, 4)
    model, (x, _) = linear_vae(truth), simulated(truth, 2)
    many = Annealing(chains=20_000, temperatures=6, leapfrog_steps=3)
    *_, running = ais_steps(model, x, many)
    estimate, exact = running.estimate(), truth.log_px(x)
    assert (estimate.se < 0.05).all()
    assert ((estimate.log_px - exact).abs() < 4 * estimate.se).all()
    assert (estimate.log_px - running.log_w.mean(0) > 10 * estimate.se).all()


@pytest.mark.slow
def test_the_inverse_weights_are_unbiased_backwards(generator):
    """From exact posterior samples: the mean of 1/w is 1/p(x)."""
    truth = linear_gaussian(2, 4, scale=2.0)
    model, (x, _) = linear_vae(truth), simulated(truth, 1)
    q = truth.posterior(x)
    z, _ = q.rsample_and_log_prob(20_000, generator)
    *_, running = bdmc_steps(model, x.expand(20_000, -1, -1, -1), z[:, 0], QUICK)
    mean, se = log_mean_exp(-running.estimate().upper.log_px)
    assert se < 0.05
    assert abs(-mean - truth.log_px(x).item()) < 4 * se


@pytest.mark.thorough
@pytest.mark.slow
def test_bounds_and_importance_sampling_bracket_the_exact_value():
    truth = linear_gaussian(4, 12)
    model, (x, z) = linear_vae(truth), simulated(truth, 16)
    exact = truth.log_px(x)
    sandwich = bdmc(model, x, z, Annealing(chains=16, temperatures=500, leapfrog_steps=5))
    for gap in (exact - sandwich.lower.log_px, sandwich.upper.log_px - exact, sandwich.width):
        assert -4 * gap.std() / math.sqrt(len(gap)) < gap.mean() < 0.25
    assert ((sandwich.lower.log_px - exact).abs() < 4 * sandwich.lower.se + 0.02).all()
    importance = log_density(model, x, 20_000)
    known = importance.trusted
    assert known.any()
    assert ((importance.log_px - exact).abs() < 4 * importance.se + 0.01)[known].all()
    assert (importance.elbo < exact).all()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-full-d2", "digits-mean-field-d16"])
def test_the_sandwich_of_a_trained_model_is_narrow_and_holds_importance_sampling(name, generator):
    model = load_model(pretrained_folder() / name)
    x, z = simulate(model, 12, generator)
    sandwich = bdmc(model, x, z, Annealing(chains=16, temperatures=500, leapfrog_steps=5))
    width, se = sandwich.mean_width
    assert -4 * se < width < 0.5 - 2 * se
    importance = log_density(model, x, 5000).log_px
    for gap in (importance - sandwich.lower.log_px, sandwich.upper.log_px - importance):
        assert gap.mean() > -4 * gap.std() / math.sqrt(len(gap))
    assert ((sandwich.lower.acceptance - 0.75).abs() < 0.15).all()
    assert ((sandwich.upper.acceptance - 0.75).abs() < 0.15).all()


@pytest.mark.slow
def test_more_temperatures_narrow_the_sandwich():
    truth = linear_gaussian(4, 25)
    model, (x, z) = linear_vae(truth), simulated(truth, 30)
    widths = [bdmc(model, x, z, Annealing(4, t, 3)).mean_width[0] for t in (5, 20, 80)]
    assert widths[0] > 2 * widths[1] > 4 * widths[2] > 0


def test_error_and_effective_size_follow_from_the_weights():
    truth = linear_gaussian(3, 9)
    model, (x, _) = linear_vae(truth), simulated(truth, 2)
    *_, running = ais_steps(model, x, Annealing(chains=5, temperatures=60, leapfrog_steps=2))
    weights = running.log_w.exp() / running.log_w.exp().sum(0)
    estimate = running.estimate()
    torch.testing.assert_close(estimate.ess, 1 / weights.square().sum(0))
    torch.testing.assert_close(estimate.se, (weights.square().sum(0) - 0.2).sqrt())


def test_where_one_chain_carries_the_weight_the_error_is_not_known():
    truth = linear_gaussian(3, 9)
    model, (x, _) = linear_vae(truth), simulated(truth, 2)
    estimate = ais(model, x, Annealing(chains=5, temperatures=4, leapfrog_steps=2))
    assert (estimate.ess < 2).all()
    assert estimate.se.isnan().all()


def test_it_can_be_watched_and_left_at_any_time():
    truth = linear_gaussian(2, 6)
    model, (x, z) = linear_vae(truth), simulated(truth, 2)
    forward = [r.share for r in ais_steps(model, x, QUICK)]
    pilot = forward.count(0)
    assert pilot > 6  # so that its work can be left too
    assert forward[pilot:] == pytest.approx([step / 6 for step in range(1, 7)])
    both = bdmc_steps(model, x, z, QUICK)
    running = next(itertools.islice(both, pilot + 8, None))
    assert running.share == 9 / 12
    with pytest.raises(ValueError, match="both directions"):
        running.estimate()


@pytest.mark.slow
def test_many_images_go_in_groups():
    truth = linear_gaussian(2, 6)
    model, (x, z) = linear_vae(truth), simulated(truth, 7)
    model.decoder.row_floats = FLOATS_AT_ONCE // 8  # as if so large that two images fit
    seen: list[float] = []
    estimate = ais(model, x, QUICK, on_progress=seen.append)
    assert estimate.log_px.shape == (7,)
    assert estimate.log_px.isfinite().all()
    assert seen == sorted(seen)
    assert seen[-1] == 1
    assert len(set(seen)) == 1 + 4 * 6  # the pilot runs stay where they begin
    assert bdmc(model, x, z, QUICK).width.shape == (7,)
    assert ais(model, x[:0], QUICK).log_px.shape == (0,)


def test_the_same_seed_gives_the_same_figure():
    truth = linear_gaussian(2, 6)
    model, (x, _) = linear_vae(truth), simulated(truth, 2)
    first, again, other = (ais(model, x, QUICK, seed=seed).log_px for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_simulated_images_have_the_pixels_of_their_latents(generator):
    model = VAE(ModelConfig(latent_size=3, hidden_size=20, image_shape=(1, 4, 4))).eval()
    x, z = simulate(model, 20_000, generator)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert abs(z.mean()) < 0.02
    assert abs(z.var() - 1) < 0.02
    with torch.no_grad():
        surplus = (x - model.mean_image(z)).flatten(1)
    assert surplus.mean(0).abs().max() < 0.02
    assert (surplus.T @ z / len(x)).abs().max() < 0.02


def test_simulated_images_have_the_density_of_the_model(generator):
    """−E log p(x) is the entropy of N(b, WWᵀ + s²I)."""
    truth = linear_gaussian(2, 5)
    x, _ = simulate(linear_vae(truth), 20_000, generator)
    log_px = truth.log_px(x)
    covariance = truth.weight @ truth.weight.T + truth.scale**2 * torch.eye(5)
    entropy = 0.5 * torch.logdet(2 * math.pi * math.e * covariance)
    assert abs(log_px.mean() + entropy) < 4 * log_px.std() / math.sqrt(20_000)


@pytest.mark.parametrize("numbers", [(0, 10, 5), (10, 0, 5), (10, 10, 0)])
def test_numbers_that_cannot_work_are_refused(numbers):
    with pytest.raises(ValueError, match="at least one"):
        Annealing(*numbers)

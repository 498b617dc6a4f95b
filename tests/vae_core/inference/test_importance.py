"""log p̂(x) against quadrature and against the plain formula; its diagnostics against theory."""

import math
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.vae_core.conftest import FAMILIES, ONE_MODE
from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.basics.errors import InvalidArgument
from vae_core.basics.paths import pretrained_folder
from vae_core.inference.elbo import elbo_terms, monte_carlo
from vae_core.inference.importance import log_density, log_density_to
from vae_core.inference.pareto import pareto_k, tail_length
from vae_core.model.batches import FLOATS_AT_ONCE
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.settings.config import ModelConfig


def log_p_by_quadrature(model: VAE, x: Tensor, half_width: float = 7.0, size: int = 561) -> Tensor:
    """log ∫ p(x|z) p(z) dz over a square grid of z, d = 2, written out from the definitions."""
    side = torch.linspace(-half_width, half_width, size, dtype=torch.float64)
    first, second = torch.meshgrid(side, side, indexing="ij")
    z = torch.stack([first.flatten(), second.flatten()], 1)  # (G, 2)
    probabilities = torch.cat(
        [torch.sigmoid(model.decoder(part.float()).double()) for part in z.split(20_000)]
    )
    images = x.flatten(1).double()
    log_likelihood = images @ probabilities.log().T + (1 - images) @ (-probabilities).log1p().T
    log_prior = -z.square().sum(1) / 2 - math.log(2 * math.pi)
    log_cell = 2 * math.log((side[1] - side[0]).item())
    return torch.logsumexp(log_likelihood + log_prior + log_cell, dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_importance_sampling_agrees_with_quadrature(family, trained, test_digits):
    model, x = trained(family), test_digits[ONE_MODE][:6]
    estimate = log_density(model, x, 20_000)
    exact = log_p_by_quadrature(model, x)
    assert (estimate.elbo < exact).all()
    known = estimate.trusted
    assert known.any()
    assert torch.equal(known, ~estimate.se.isnan())
    assert ((estimate.log_px - exact).abs() <= 4 * estimate.se + 0.02)[known].all()


def test_the_quadrature_itself_has_converged(trained, test_digits):
    model, x = trained("full"), test_digits[:6]
    fine, coarse = (log_p_by_quadrature(model, x, size=size) for size in (561, 281))
    torch.testing.assert_close(fine, coarse, rtol=0, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_two_forms_of_the_elbo_agree_in_expectation(family, trained, test_digits, generator):
    with torch.no_grad():
        terms = elbo_terms(trained(family), test_digits[:4], 20_000, generator)
    joint, joint_se = monte_carlo(terms.joint_form)
    kl, kl_se = monte_carlo(terms.kl_form)
    assert ((joint - kl).abs() <= 4 * (joint_se + kl_se)).all()
    assert (joint_se > 0).all()


def test_the_monte_carlo_error_of_one_sample_is_unknown():
    mean, se = monte_carlo(torch.zeros(1, 3))
    assert mean.shape == se.shape == (3,)
    assert se.isnan().all()


def test_streaming_gives_the_plain_formula(trained, test_digits):
    """One image, K beyond one chunk: the same noise, all weights kept, textbook formulas."""
    import zlib

    model, x, count = trained("full"), test_digits[:1], 2500
    seed = zlib.crc32(x[0].numpy().tobytes())
    generator = torch.Generator().manual_seed(seed)
    blocks = [torch.randn(n, 2, generator=generator) for n in (1000, 1000, 500)]
    path = model.posterior(x).path(torch.cat(blocks)[:, None])
    log_w = (model.log_joint(x, path.z) - path.log_q)[:, 0].double()
    weights = log_w.softmax(0)
    estimate = log_density(model, x, count)
    assert math.isclose(estimate.log_px.item(), (log_w.exp().mean().log()).item(), abs_tol=1e-5)
    assert math.isclose(estimate.elbo.item(), log_w.mean().item(), abs_tol=1e-5)
    assert math.isclose(estimate.ess.item(), (1 / weights.square().sum()).item(), rel_tol=1e-4)
    by_delta = (weights.square().sum() - 1 / count).sqrt()
    batches = torch.stack([count * weights[i::8].mean() for i in range(8)])
    by_batches = 2.365 / 1.960 * batches.std() / math.sqrt(8)
    assert estimate.ess < 0.9 * count, "the weights are unequal, so the error is widened"
    se = 1.25 * max(by_delta.item(), by_batches.item())
    assert math.isclose(estimate.se.item(), se, rel_tol=1e-4)
    tail = log_w.sort(descending=True).values[: tail_length(count) + 1]
    assert math.isclose(estimate.pareto_k.item(), pareto_k(tail[:, None]).item(), abs_tol=1e-4)


def test_the_standard_error_is_the_spread_of_repeated_estimates(trained, test_digits):
    model, x = trained("mean-field"), test_digits[ONE_MODE][:3]
    runs = [log_density(model, x, 400, seed=seed) for seed in range(60)]
    spread = torch.stack([r.log_px for r in runs]).std(0)
    claimed = torch.stack([r.se for r in runs]).nanmean(0)
    assert ((spread / claimed - 1).abs() < 0.4).all()


@pytest.mark.parametrize("narrowing", [0.8, 1.0, 1.25])
def test_an_error_that_is_stated_covers_the_error_made(narrowing):
    """12 seeds of 20 images, by Gaussians from wider to narrower than the best one."""
    truth = linear_gaussian(2, 10)
    model, (x, _) = linear_vae(truth, narrowing=narrowing), simulated(truth, 20)
    exact = truth.log_px(x)
    runs = [log_density(model, x, 1000, seed) for seed in range(12)]
    away = torch.cat([(each.log_px - exact).abs() for each in runs])
    se = torch.cat([each.se for each in runs])
    known = ~se.isnan()
    assert known.double().mean() > 0.5
    assert (away <= 2 * se)[known].double().mean() > 0.8
    assert (away <= 4 * se)[known].double().mean() > 0.97


def test_where_one_draw_carries_the_weight_no_error_is_stated():
    """A white page: the formula gives 1 nat, and another seed tens of nats more or less."""
    model, x = load_model(pretrained_folder() / "mnist-full-d50"), torch.ones(1, 1, 28, 28)
    runs = [log_density(model, x, 1000, seed) for seed in range(2)]
    assert abs(runs[0].log_px - runs[1].log_px) > 10
    for found in runs:
        assert found.ess < 2
        assert found.pareto_k > 0.7
        assert found.se.isnan()
        assert not found.trusted
    assert not log_density_to(model, x, se=1.0, most=3000).reached.any()


def test_log_p_rises_with_k_from_the_elbo(trained, test_digits):
    model, x = trained("mean-field"), test_digits[:200]
    means = [log_density(model, x, k).log_px.mean() for k in (1, 4, 16, 64)]
    assert means == sorted(means)
    one = log_density(model, x, 1)
    torch.testing.assert_close(one.log_px, one.elbo)
    assert one.se.isnan().all()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_score_does_not_depend_on_what_is_scored_with_it(family, trained, test_digits):
    model = trained(family)
    together = log_density(model, test_digits[:40], 300)
    alone = log_density(model, test_digits[17:18], 300)
    torch.testing.assert_close(alone.log_px, together.log_px[17:18], rtol=0, atol=1e-4)


def test_a_decoder_that_holds_few_latents_changes_no_score(trained, test_digits, monkeypatch):
    model, x = trained("iaf"), test_digits[:2]
    expected = log_density(model, x, 1500).log_px
    decoded, decode = [], model.decoder.forward
    monkeypatch.setattr(model.decoder, "forward", lambda z: decoded.append(len(z)) or decode(z))
    monkeypatch.setattr(model.decoder, "row_floats", FLOATS_AT_ONCE // 300)
    torch.testing.assert_close(log_density(model, x, 1500).log_px, expected, rtol=1e-6, atol=1e-5)
    assert max(decoded) <= 300
    assert sum(decoded) == 2 * 1500


def test_another_seed_draws_other_noise(trained, test_digits):
    first, second = (log_density(trained("full"), test_digits[:5], 50, seed=s) for s in (0, 1))
    assert ((first.log_px - second.log_px).abs() > 1e-4).all()


def silence(module: torch.nn.Module) -> None:
    """A module that answers zero to everything."""
    for parameter in module.parameters():
        torch.nn.init.zeros_(parameter)


def test_equal_weights_have_no_error_no_tail_and_full_sample_size():
    """A decoder that ignores z, and q = p: every weight is p(x)."""
    model = VAE(ModelConfig(posterior="mean-field", image_shape=(1, 8, 8))).requires_grad_(False)
    silence(model.decoder)
    silence(model.to_posterior)
    estimate = log_density(model, torch.ones(2, 1, 8, 8), 1000)
    torch.testing.assert_close(
        estimate.log_px, torch.full((2,), -64 * math.log(2)).double(), rtol=0, atol=1e-4
    )
    assert (estimate.se < 1e-3).all()
    assert (estimate.ess > 999.9).all()
    assert (estimate.pareto_k == -math.inf).all()


def test_bits_per_dim_of_a_fair_coin_is_one():
    model = VAE(ModelConfig(posterior="mean-field", image_shape=(1, 8, 8))).requires_grad_(False)
    silence(model.decoder)
    estimate = log_density(model, torch.ones(1, 1, 8, 8), 50_000)
    assert math.isclose(estimate.bits_per_dim(64).item(), 1.0, abs_tol=1e-3)


@pytest.mark.parametrize("shape", [0.3, 0.7, 1.2])
def test_pareto_k_recovers_the_shape_of_a_pareto_tail(shape):
    count = 100_000
    uniform = np.random.default_rng(0).uniform(size=(count, 4))
    log_w = torch.tensor(-shape * np.log(uniform))  # w = u^(−k)
    tail = log_w.sort(0, descending=True).values[: tail_length(count) + 1]
    assert ((pareto_k(tail) - shape).abs() < 0.15).all()


def test_pareto_k_does_not_change_with_the_scale_of_the_weights():
    tail = torch.randn(400, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    tail = tail.sort(0, descending=True).values
    torch.testing.assert_close(pareto_k(tail), pareto_k(tail - 5000), rtol=1e-6, atol=1e-6)


def test_too_few_weights_have_no_tail_to_judge():
    assert pareto_k(torch.zeros(5, 1)).isnan().all()


@pytest.mark.parametrize("count", [0, -1, 1_000_001])
def test_an_impossible_number_of_samples_is_refused(count, trained, test_digits):
    with pytest.raises(ValueError, match="1 to 1,000,000"):
        log_density(trained("full"), test_digits[:1], count)


def test_no_images_give_no_scores(trained):
    assert log_density(trained("full"), torch.zeros(0, 1, 8, 8), 10).log_px.shape == (0,)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="reads Linux's own accounts")
@pytest.mark.parametrize(("images", "samples"), [(1200, 300), (1, 300_000)])
def test_memory_grows_neither_with_images_nor_with_samples(images, samples):
    model = VAE(ModelConfig(posterior="mean-field", latent_size=50)).eval()
    x = (torch.rand(images, 1, 28, 28) < 0.2).float()
    log_density(model, x[:20], 1000)  # what a first call sets up
    before = resident_megabytes()
    most = 0.0

    def watch(_share: float) -> None:
        nonlocal most
        most = max(most, resident_megabytes() - before)

    log_density(model, x, samples, on_progress=watch)
    assert most < 64


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def test_the_number_of_samples_may_be_numpys_but_not_a_fraction(generator):
    model = VAE(ModelConfig(latent_size=2, hidden_size=8, image_shape=(1, 3, 3)))
    x = torch.rand(2, 1, 3, 3, generator=generator).round()
    ten: Any = np.int64(10)
    assert torch.equal(log_density(model, x, ten).log_px, log_density(model, x, 10).log_px)
    with pytest.raises(InvalidArgument, match=r"whole number, 1 to 1,000,000, not 1\.5"):
        log_density(model, x, 1.5)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("seed", [1.5, "0", None])
def test_a_seed_that_is_no_whole_number_is_refused_in_a_sentence(seed):
    model = VAE(ModelConfig(image_shape=(1, 4, 4), hidden_size=8, latent_size=2))
    with pytest.raises(InvalidArgument, match="The seed must be a whole number, not"):
        log_density(model, torch.zeros(1, 1, 4, 4), 5, seed=seed)

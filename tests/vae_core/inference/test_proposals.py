"""Refined proposals: exact where the posterior is Gaussian, and closer to the truth elsewhere."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from tests.vae_core.conftest import FAMILIES, ONE_MODE
from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.basics.paths import pretrained_folder
from vae_core.basics.seeding import generator_of
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import binarise, evaluation_images
from vae_core.inference import gauss_newton, importance, proposals
from vae_core.inference.importance import log_density
from vae_core.inference.proposals import StretchedGaussian, refine, refined_log_density
from vae_core.inference.quadrature import quadrature
from vae_core.model.noise import standard_normal_log_prob
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.scoring.foreign import foreign_images
from vae_core.settings.config import ModelConfig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mnist_digits(mnist: Dataset) -> Tensor:
    return evaluation_images(mnist, "test", "dynamic", seed=0, limit=40)[0]


def test_the_posterior_of_a_linear_gaussian_model_is_found_at_once():
    truth = linear_gaussian(5, 30)
    x, _ = simulated(truth, 20)
    model = linear_vae(truth, narrowing=3.0)  # an encoder that is three times too sure
    found = refine(model, x)
    assert found.is_fitted.all()
    exact = truth.posterior(x)
    gaussian = found.fitted.gaussian
    torch.testing.assert_close(gaussian.mean, exact.mean, rtol=1e-3, atol=1e-3)
    wanted, scale = exact.scale_tril, gaussian.scale_tril
    torch.testing.assert_close(scale @ scale.mT, wanted @ wanted.mT, rtol=2e-3, atol=1e-4)
    few = log_density(model, x, 500, proposal=found)
    assert ((few.log_px - truth.log_px(x)).abs() <= 5 * few.se).all()
    assert few.ess.min() > 400
    assert log_density(model, x, 500).ess.max() < 250


@pytest.mark.parametrize("family", FAMILIES)
def test_it_agrees_with_quadrature(family, trained, test_digits):
    model, x = trained(family), test_digits[ONE_MODE]
    exact = quadrature(model, x)
    found = refined_log_density(model, x, 5000)
    away, known = (found.log_px - exact.log_px).abs(), found.trusted
    assert known.double().mean() > 0.5
    assert (away <= 4 * found.se + exact.error + 0.05)[known].all()
    assert (away <= 0.5)[~known].all()


def test_p_of_x_is_estimated_without_bias(trained, test_digits):
    """Whatever the fit: each of ten fits gives 30 estimates."""
    model, x = trained("mean-field"), test_digits[ONE_MODE]
    exact = quadrature(model, x).log_px
    found: list[Tensor] = []
    for fit in range(10):
        proposal = refine(model, x, fit)
        seeds = range(30 * fit, 30 * fit + 30)
        found += [log_density(model, x, 10, seed, proposal=proposal).log_px for seed in seeds]
    ratios = (torch.stack(found) - exact).exp()
    error = ratios.std(0) / math.sqrt(len(ratios))
    assert ((ratios.mean(0) - 1).abs() <= 4 * error + 0.01).all()


def test_it_needs_fewer_samples_and_finds_more(mnist_digits):
    model, x = load_model(pretrained_folder() / "mnist-mean-field-d50"), mnist_digits[:40]
    before, after = log_density(model, x, 500), refined_log_density(model, x, 500)
    assert after.ess.median() > 5 * before.ess.median()
    assert (after.pareto_k <= 0.7).sum() > 3 * (before.pareto_k <= 0.7).sum()
    assert 0.3 < (after.log_px - before.log_px).mean() < 2.5
    assert (after.log_px - before.log_px).min() > -2.5


def test_far_from_the_training_data_it_gains_most(mnist_digits):
    model = load_model(pretrained_folder() / "mnist-mean-field-d50")
    noise = torch.rand(mnist_digits[:10].shape, generator=torch.Generator().manual_seed(0)).round()
    for x in (noise, 1 - mnist_digits[:10], torch.ones_like(noise[:1])):
        before, after = log_density(model, x, 100), refined_log_density(model, x, 100)
        assert (after.log_px - before.log_px).min() > 100


def test_an_odd_image_gets_the_same_in_any_company(mnist_digits):
    model = load_model(pretrained_folder() / "mnist-mean-field-d50")
    noise = torch.rand(mnist_digits[:6].shape, generator=torch.Generator().manual_seed(0)).round()
    x = torch.cat([mnist_digits[:20], noise])
    together = refine(model, x).fitted.gaussian
    for i in (3, 21, 25):
        alone = refine(model, x[i : i + 1]).fitted.gaussian
        assert torch.equal(together.mean[i], alone.mean[0])
        assert torch.equal(together.scale_tril[i], alone.scale_tril[0])


def test_an_image_gets_the_same_in_any_company(trained, test_digits):
    model = trained("iaf")
    together, alone = (
        refined_log_density(model, x, 300) for x in (test_digits[:45], test_digits[44:45])
    )
    torch.testing.assert_close(together.log_px[44:], alone.log_px, rtol=0, atol=1e-3)
    other = refined_log_density(model, test_digits[44:45], 300, seed=1)
    assert not torch.equal(other.log_px, alone.log_px)


def test_the_draws_of_the_estimate_are_not_those_of_the_fit(test_digits, trained, monkeypatch):
    model, x = trained("full"), test_digits[:5]
    seeds: list[int] = []

    def noted(image: Tensor, seed: int, device: torch.device) -> torch.Generator:
        found = generator_of(image, seed, device)
        seeds.append(found.initial_seed())
        return found

    monkeypatch.setattr(proposals, "generator_of", noted)
    monkeypatch.setattr(importance, "generator_of", noted)
    refined_log_density(model, x, 10)
    assert len(seeds) == len(set(seeds)) == 10


def test_the_mode_that_the_encoder_did_not_look_at_is_found(digits):
    """Digits turned to their negative, for a model that knows none: exact by quadrature."""
    model = load_model(pretrained_folder() / "digits-full-d2")
    pixels = foreign_images("inverted", digits.split("test")[0][:20], 0)
    x = binarise(pixels, "dynamic", torch.Generator().manual_seed(0))
    exact, found = quadrature(model, x).log_px, refined_log_density(model, x, 1000)
    trusted = found.trusted
    assert trusted.sum() > 10
    assert ((exact - found.log_px)[trusted] < 1).sum() >= trusted.sum() - 1


def test_a_mode_is_missed_only_if_several_draws_of_the_other_say_so():
    own = torch.zeros(64, 3)
    others = torch.full((64, 3), -20.0)
    others[:10, 0] = 4.0  # many
    others[0, 1] = 9.0  # one lucky draw
    assert proposals._has_missed_a_mode(own, others).tolist() == [True, False, False]


def test_what_is_drawn_from_is_the_fitted_gaussian_or_the_encoders_q(trained, test_digits):
    model = trained("spline")
    found = refine(model, test_digits[:60])
    assert 0 < found.is_fitted.sum() < len(found.is_fitted)
    epsilon = found.noise(3, torch.Generator().manual_seed(0))
    fitted, encoder = found.fitted.path(epsilon), found.encoder.path(epsilon)
    path = found.path(epsilon)
    for i, chosen in enumerate(found.is_fitted):
        own = fitted if chosen else encoder
        assert torch.equal(path.z[:, i], own.z[:, i])
        assert torch.equal(path.log_q[:, i], own.log_q[:, i])
    some = found.rows(torch.tensor([5, 17]))
    torch.testing.assert_close(some.path(epsilon[:, [5, 17]]).z, path.z[:, [5, 17]])


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous-bernoulli", "gaussian"])
def test_slope_and_curvature_are_those_of_log_p_of_x_and_z(likelihood):
    torch.manual_seed(0)
    config = ModelConfig(
        latent_size=3, image_shape=(1, 4, 4), likelihood=likelihood, network="linear"
    )
    model = VAE(config).double().requires_grad_(False)
    x = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    z = torch.randn(5, 2, 3, dtype=torch.float64)
    slope, curvature = gauss_newton._slope_and_curvature(model, x, z)

    def log_joint(one: Tensor, i: int) -> Tensor:
        outputs = model.decode(one[None])
        log_px_z = model.likelihood.by_pixel(x[i : i + 1].flatten(1), outputs).sum()
        return log_px_z - one.square().sum() / 2

    for i in range(2):  # of a linear decoder the Hessian is Gauss and Newton's
        slopes = [jacobian(lambda one: log_joint(one, i), e) for e in z[:, i]]  # noqa: B023
        bends = [-torch.as_tensor(hessian(lambda one: log_joint(one, i), e)) for e in z[:, i]]  # noqa: B023
        torch.testing.assert_close(slope[i], torch.stack(slopes).mean(0))
        torch.testing.assert_close(curvature[i], torch.stack(bends).mean(0))


def test_a_convolutional_net_is_refined_too(test_digits):
    torch.manual_seed(0)
    config = ModelConfig(latent_size=4, image_shape=(1, 8, 8), network="conv", channels=4)
    model = VAE(config).eval().requires_grad_(False)
    found = refined_log_density(model, test_digits[:3], 200)
    assert found.log_px.isfinite().all()


def test_where_nothing_can_be_fitted_the_encoder_stays(trained, test_digits, monkeypatch):
    def broken(*_: object) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.full((1, 2), torch.nan), torch.full((1, 2, 2), torch.nan)

    monkeypatch.setattr(gauss_newton, "_slope_and_curvature", broken)
    model, x = trained("full"), test_digits[:4]
    assert not refine(model, x).is_fitted.any()
    expected, found = log_density(model, x, 100), refined_log_density(model, x, 100)
    assert torch.equal(found.log_px, expected.log_px)


def test_the_density_of_a_stretched_gaussian_is_its_own(generator):
    gaussian = GaussianPosterior(
        torch.randn(3, 4, generator=generator), torch.randn(3, 4, generator=generator) / 3
    )
    lower = torch.randn(3, 4, 4, generator=generator).tril(-1)
    q = StretchedGaussian(replace(gaussian, lower=lower), stretch=0.3)
    epsilon = q.noise(5, generator)
    path = q.path(epsilon)
    for k in range(5):
        for i in range(3):
            own = q.rows(torch.tensor([i]))
            slope = jacobian(lambda e: own.path(e[None, None]).z[0, 0], epsilon[k, i])  # noqa: B023
            log_abs_det = torch.linalg.slogdet(slope).logabsdet  # pyright: ignore
            expected = standard_normal_log_prob(epsilon[k, i]) - log_abs_det
            torch.testing.assert_close(path.log_q[k, i], expected, rtol=1e-4, atol=1e-4)


def test_its_kl_to_the_prior_is_by_its_draws(trained, test_digits, generator):
    """Also where some images have the encoder's Gaussian: a bound and its terms belong together."""
    model = trained("full")
    found = refine(model, test_digits[:60])
    assert 0 < found.is_fitted.sum() < len(found.is_fitted)
    path = found.path(found.noise(50, generator))
    log_ratio = path.log_q - standard_normal_log_prob(path.z)
    assert torch.equal(model.prior.kl(found, path.z, path.log_q), log_ratio)


def test_no_images_give_no_scores_and_a_foreign_proposal_is_refused(trained, test_digits):
    model = trained("planar")
    assert refined_log_density(model, test_digits[:0], 10).log_px.shape == (0,)
    with pytest.raises(ValueError, match="for 3 images, not for 2"):
        log_density(model, test_digits[:2], 10, proposal=refine(model, test_digits[:3]))
    with pytest.raises(ValueError, match="importance samples must be"):
        refined_log_density(model, test_digits[:2], 0)


def test_progress_rises_to_one(trained, test_digits):
    seen: list[float] = []
    refined_log_density(trained("full"), test_digits[:50], 20, on_progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == 1.0

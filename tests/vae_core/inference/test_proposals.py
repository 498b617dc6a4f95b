"""Refined proposals: they find every mode, and what they state as an error is one."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from tests.vae_core.conftest import FAMILIES
from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.basics.paths import pretrained_folder
from vae_core.basics.seeding import generator_of
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import binarise, evaluation_images
from vae_core.inference import gauss_newton, importance, proposals
from vae_core.inference.importance import log_density
from vae_core.inference.mixture import GaussianMixture
from vae_core.inference.proposals import refine, refined_log_density
from vae_core.inference.quadrature import quadrature
from vae_core.model.derivatives import Pushing, Step
from vae_core.model.networks import Decoder
from vae_core.model.noise import standard_normal_log_prob
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
    assert isinstance(found, GaussianMixture)
    assert found.is_fitted.all()
    exact = truth.posterior(x)
    torch.testing.assert_close(found.mean[0], exact.mean, rtol=1e-3, atol=1e-3)
    wanted, scale = exact.scale_tril, found.scale_tril[0]
    torch.testing.assert_close(scale @ scale.mT, wanted @ wanted.mT, rtol=2e-3, atol=1e-4)
    few = log_density(model, x, 500, proposal=found)
    assert ((few.log_px - truth.log_px(x)).abs() <= 5 * few.se).all()
    assert few.ess.min() > 300
    assert log_density(model, x, 500).ess.max() < 250


@pytest.mark.parametrize("family", FAMILIES)
def test_it_agrees_with_quadrature(family, trained, test_digits):
    """Images 0 to 2 have a second mode, which one Gaussian misses."""
    model, x = trained(family), test_digits[:12]
    exact = quadrature(model, x)
    found = refined_log_density(model, x, 1000)
    assert found.trusted.double().mean() > 0.9
    away = (found.log_px - exact.log_px).abs()
    assert (away <= 3 * found.se + exact.error).all()
    assert (away <= 0.05).all()


@pytest.mark.thorough
def test_p_of_x_is_estimated_without_bias(trained, test_digits):
    """Whatever the fit: each of ten fits gives 30 estimates."""
    model, x = trained("mean-field"), test_digits[:12]
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


@pytest.mark.parametrize("name", ["mnist-mean-field-d50", "mnist-full-d2"])
def test_an_odd_image_gets_the_same_in_any_company(name, mnist_digits):
    model = load_model(pretrained_folder() / name)
    noise = torch.rand(mnist_digits[:6].shape, generator=torch.Generator().manual_seed(0)).round()
    x = torch.cat([mnist_digits[:20], noise])
    together = refined_log_density(model, x, 300)
    for i in (3, 21, 25):
        alone = refined_log_density(model, x[i : i + 1], 300)
        torch.testing.assert_close(together.log_px[i : i + 1], alone.log_px, rtol=0, atol=1e-3)
        assert together.trusted[i] == alone.trusted[0]


def test_an_image_gets_the_same_in_any_company(trained, test_digits):
    model = trained("iaf")
    together, alone = (
        refined_log_density(model, x, 300) for x in (test_digits[:45], test_digits[44:45])
    )
    torch.testing.assert_close(together.log_px[44:], alone.log_px, rtol=0, atol=1e-3)
    other = refined_log_density(model, test_digits[44:45], 300, seed=1)
    assert not torch.equal(other.log_px, alone.log_px)


def test_the_draws_of_the_estimate_are_not_those_of_the_fit(test_digits, monkeypatch):
    model, x = load_model(pretrained_folder() / "digits-mean-field-d16"), test_digits[:5]
    seeds: list[int] = []

    def noted(image: Tensor, seed: int, device: torch.device) -> torch.Generator:
        found = generator_of(image, seed, device)
        seeds.append(found.initial_seed())
        return found

    monkeypatch.setattr(proposals, "generator_of", noted)
    monkeypatch.setattr(importance, "generator_of", noted)
    refined_log_density(model, x, 10)
    assert len(seeds) == len(set(seeds)) == 10


@pytest.mark.thorough
def test_the_mode_that_the_encoder_did_not_look_at_is_found(digits):
    """Digits turned to their negative, for a model that knows none: exact by quadrature."""
    model = load_model(pretrained_folder() / "digits-full-d2")
    pixels = foreign_images("inverted", digits.split("test")[0][:20], 0)
    x = binarise(pixels, "dynamic", torch.Generator().manual_seed(0))
    exact, found = quadrature(model, x).log_px, refined_log_density(model, x, 1000)
    trusted = found.trusted
    assert trusted.sum() > 16
    assert ((exact - found.log_px).abs() <= 3 * found.se + 0.02)[trusted].all()


@pytest.mark.parametrize("d", [1, 2, 8])
def test_a_mirrored_mode_is_found(d):
    """The decoder sees |z_1|, so p(z|x) has two equal modes. The encoder's q has one of them."""
    truth = linear_gaussian(d, 30)
    x, z = simulated(truth, 30)
    x = x[(z[:, 0] > 0.8)]
    model = linear_vae(truth)
    model.decoder = Mirrored(model.decoder)
    q = truth.posterior(x)
    above_zero = torch.special.ndtr(q.mean[:, 0] / q.moments(0)[1][:, 0].sqrt())
    exact = truth.log_px(x) + math.log(2) + above_zero.log()
    found = refined_log_density(model, x, 1000)
    assert found.trusted.all()
    assert ((found.log_px - exact).abs() <= 4 * found.se).all()
    if d > 2:  # in few dimensions the components cover all modes without counting them
        assert (refine(model, x).modes == 2).all()
    assert (exact - log_density(model, x, 1000).log_px).median() > 0.5


class Mirrored(Decoder):
    """A decoder that sees the absolute value of the first latent."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.row_floats, self.mirror, self.decoder = decoder.row_floats, Mirror(), decoder

    def steps(self) -> Iterator[Step]:
        yield self.mirror
        yield from self.decoder.steps()


class Mirror(Pushing):
    """Take the absolute value of the first latent."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.cat([z[:, :1].abs(), z[:, 1:]], 1)

    def push(self, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
        pushed = tangents.clone()
        pushed[:, 0] *= x[:, 0].sign().repeat_interleave(x.shape[1])
        return self(x), pushed


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


def test_where_nothing_can_be_fitted_the_encoder_stays(test_digits, monkeypatch):
    def broken(_model: VAE, _x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        count, size = z.shape[1:]
        return torch.full((count, size), torch.nan), torch.full((count, size, size), torch.nan)

    monkeypatch.setattr(gauss_newton, "_slope_and_curvature", broken)
    model, x = load_model(pretrained_folder() / "digits-mean-field-d16"), test_digits[:4]
    proposal = refine(model, x)
    assert not proposal.is_fitted.any()
    expected, found = log_density(model, x, 1000), log_density(model, x, 1000, proposal=proposal)
    assert ((found.log_px - expected.log_px).abs() < 1).all()


@pytest.mark.parametrize("d", [2, 3])
def test_a_broken_decoder_gives_no_score_and_no_trouble(d):
    model = VAE(ModelConfig(latent_size=d, hidden_size=8, image_shape=(1, 4, 4))).eval()
    for parameter in model.decoder.parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    found = refined_log_density(model, torch.ones(2, 1, 4, 4), 100)
    assert found.log_px.isnan().all()
    assert not found.trusted.any()


def test_its_kl_to_the_prior_is_by_its_draws(trained, test_digits, generator):
    """A bound and its terms belong together."""
    model = trained("full")
    found = refine(model, test_digits[:6])
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
    refined_log_density(trained("full"), test_digits[:70], 20, on_progress=seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == 1.0

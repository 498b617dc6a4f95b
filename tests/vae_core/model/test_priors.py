"""The prior as a part of the model: its defaults, and every estimator under another one."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from vae_core.basics.named import load
from vae_core.inference.annealing import Annealing, ais, bdmc, simulate
from vae_core.inference.fitting import Schedule
from vae_core.inference.hmc import posterior_steps
from vae_core.inference.importance import log_density
from vae_core.inference.proposals import refined_log_density
from vae_core.inference.quadrature import posterior_grid, quadrature
from vae_core.inference.refit import refit
from vae_core.inference.svi import svi
from vae_core.model.noise import standard_normal_log_prob
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.priors import Prior, StandardNormal
from vae_core.model.vae import VAE
from vae_core.settings.choices import PRIORS
from vae_core.settings.config import ModelConfig


class TwoHills(Prior):
    """An even mixture of N(m, S) and N(−m, S), far from the standard normal."""

    def __init__(self, latent_size: int) -> None:
        super().__init__(latent_size)
        mean = torch.full((latent_size,), 1.5)
        covariance = 0.2 * torch.eye(latent_size) + 0.1
        self.register_buffer("means", torch.stack([mean, -mean]))
        self.register_buffer("covariance", covariance)

    def log_prob(self, z: Tensor) -> Tensor:
        factor = torch.linalg.cholesky(self.covariance)  # type: ignore
        inverse = torch.linalg.inv(factor)
        whitened = (z[..., None, :] - self.means) @ inverse.mT  # type: ignore  # (..., 2, d)
        constant = math.log(2) + factor.diagonal().log().sum()
        return standard_normal_log_prob(whitened).logsumexp(-1) - constant

    def sample(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        size = (*shape, self.latent_size)
        noise = torch.randn(size, generator=generator, dtype=self.origin.dtype)
        side = torch.randint(2, size[:-1], generator=generator)
        factor = torch.linalg.cholesky(self.covariance)  # type: ignore
        return self.means[side] + noise @ factor.mT  # type: ignore

    def gradient_and_curvature(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The Hessian of a mixture can be indefinite: the hills' own curvature instead."""
        gradient, _ = super().gradient_and_curvature(z)
        return gradient, torch.linalg.inv(self.covariance).expand(len(z), -1, -1)  # type: ignore


@pytest.fixture(params=[1, 2])
def model(request: pytest.FixtureRequest) -> VAE:
    """A small untrained VAE, whose decoder still says much about z, with two hills for a prior."""
    torch.manual_seed(0)
    d = request.param
    model = VAE(ModelConfig(latent_size=d, hidden_size=12, image_shape=(1, 4, 4))).double()
    with torch.no_grad():
        model.decoder.logits.weight.mul_(3)  # type: ignore[union-attr]
    model.prior = TwoHills(d).double()
    return model


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_prior_is_a_normalised_density_of_its_own_draws(name, d, generator):
    """Against N(0, 4 I): the mean of p(z)/g(z) over draws z of g is 1."""
    prior: Prior = load(PRIORS[name].builder)(d).double()
    z = 2 * torch.randn(200_000, d, generator=generator, dtype=torch.float64)
    log_g = -0.5 * ((z / 2).square() + math.log(8 * math.pi)).sum(-1)
    ratio = (prior.log_prob(z) - log_g).exp()
    assert abs(ratio.mean() - 1) < 4.5 * ratio.std() / math.sqrt(len(z)) + 1e-12
    mean, scale = prior.moments()
    draws = prior.sample((100_000,), generator)
    assert ((draws.mean(0) - mean) / scale).abs().max() < 4.5 / math.sqrt(100_000)
    torch.testing.assert_close(draws.std(0), scale, rtol=0.02, atol=0)


@pytest.mark.parametrize("name", PRIORS)
def test_its_formulas_are_those_that_any_prior_has(name, generator):
    """Slope, curvature, moments and quantiles against autograd and draws."""
    prior: Prior = load(PRIORS[name].builder)(3).double()
    z = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    found, general = prior.gradient_and_curvature(z), Prior.gradient_and_curvature(prior, z)
    for one, other in zip(found, general, strict=True):
        torch.testing.assert_close(one, other)
    levels = torch.tensor([0.1, 0.5, 0.8], dtype=torch.float64)
    axes = torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    quantiles = prior.quantiles(levels, axes)
    torch.testing.assert_close(quantiles, Prior.quantiles(prior, levels, axes), rtol=0, atol=0.05)
    for one, other in zip(prior.moments(), Prior.moments(prior), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0.05)


@pytest.mark.parametrize("name", PRIORS)
def test_a_closed_form_of_the_kl_is_the_mean_over_draws(name, generator):
    prior: Prior = load(PRIORS[name].builder)(3).double()
    mean, log_scale = 0.5 * torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    lower = torch.randn(4, 3, 3, generator=generator, dtype=torch.float64).tril(-1)
    q = GaussianPosterior(mean, log_scale, lower)
    closed = prior.kl_of_gaussian(q)
    if closed is None:
        return  # the KL is the mean over draws
    z, log_q = q.rsample_and_log_prob(100_000, generator)
    drawn = log_q - prior.log_prob(z)
    error = drawn.std(0) / math.sqrt(len(z))
    assert ((drawn.mean(0) - closed).abs() < 4.5 * error + 1e-9).all()


def test_the_kl_to_the_standard_normal_is_torchs(generator):
    mean, log_scale = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    lower = torch.randn(4, 3, 3, generator=generator, dtype=torch.float64).tril(-1)
    q = GaussianPosterior(mean, log_scale, lower)
    prior = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    expected = kl_divergence(MultivariateNormal(mean, scale_tril=q.scale_tril), prior)
    torch.testing.assert_close(StandardNormal(3).kl_of_gaussian(q), expected)


def test_without_a_closed_form_the_kl_is_by_draws(model: VAE, generator):
    x = torch.ones(3, 1, 4, 4, dtype=torch.float64)
    q = model.posterior(x)
    z, log_q = q.rsample_and_log_prob(6, generator)
    assert torch.equal(model.prior.kl(q, z, log_q), log_q - model.prior.log_prob(z))


def unbiased(log_ratio: Tensor) -> bool:
    """Whether the mean of exp(log p̂(x) − log p(x)) over images is 1 within its error."""
    ratio = log_ratio.exp()
    return bool(abs(ratio.mean() - 1) < 4.5 * ratio.std() / math.sqrt(len(ratio)))


@pytest.mark.thorough
def test_every_estimate_of_px_is_unbiased_under_another_prior(model: VAE, generator):
    """Draws from q and from a refined proposal, and annealing in both directions."""
    with torch.no_grad():
        x, z = simulate(model, 40, generator)
    exact = quadrature(model, x)
    assert exact.reached.all()
    for estimate in (log_density(model, x, 200), refined_log_density(model, x, 50)):
        assert unbiased(estimate.log_px - exact.log_px)
    annealing = Annealing(chains=8, temperatures=30, leapfrog_steps=5)
    assert unbiased(ais(model, x, annealing).log_px - exact.log_px)
    sandwich = bdmc(model, x, z, annealing, seed=1)
    assert unbiased(sandwich.lower.log_px - exact.log_px)
    assert unbiased(exact.log_px - sandwich.upper.log_px)


def test_fitted_posteriors_stay_below_log_px_under_another_prior(model: VAE, generator):
    with torch.no_grad():
        x, _ = simulate(model, 3, generator)
    exact = quadrature(model, x).log_px
    few = Schedule(most_steps=60)
    for fits in (svi(model, x, schedule=few), refit(model, x, few)):
        *_, fitted = fits
        assert (fitted.elbo <= exact + 3 * fitted.se).all()


@pytest.mark.thorough
def test_hmc_draws_from_the_posterior_under_another_prior(generator):
    torch.manual_seed(0)
    model = VAE(ModelConfig(latent_size=1, hidden_size=12, image_shape=(1, 4, 4))).double()
    model.prior = TwoHills(1).double()
    with torch.no_grad():
        x, _ = simulate(model, 1, generator)
    grid = posterior_grid(model, x)
    mean, covariance = grid.moments()
    *_, chains = posterior_steps(model, x, chains=16, draws=120, warmup=60)
    draws = chains.draws[..., 0].flatten().double()
    spread = float(covariance.sqrt())
    assert abs(float(draws.square().mean()) - float(covariance + mean**2)) < 0.15 * spread**2 + 0.1

"""The linear-Gaussian model against torch.distributions and against itself."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.model.linear_gaussian import LinearGaussian, of_model
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig


def as_distribution(q: GaussianPosterior) -> MultivariateNormal:
    return MultivariateNormal(q.mean, scale_tril=q.scale_tril)


@pytest.mark.parametrize(("d", "pixels"), [(1, 4), (2, 9), (5, 40), (6, 3)])
def test_log_p_is_that_of_a_gaussian_with_covariance_wwt_plus_noise(d, pixels):
    truth = linear_gaussian(d, pixels)
    x, _ = simulated(truth, 7)
    noise = truth.scale**2 * torch.eye(pixels, dtype=torch.float64)
    expected = MultivariateNormal(truth.bias, truth.weight @ truth.weight.T + noise)
    torch.testing.assert_close(truth.log_px(x), expected.log_prob(x.flatten(1)), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("d", "pixels"), [(1, 4), (2, 9), (5, 40)])
def test_the_elbo_of_the_exact_posterior_is_log_p_at_every_sample(d, pixels, generator):
    truth = linear_gaussian(d, pixels)
    x, _ = simulated(truth, 7)
    path = truth.posterior(x).path(torch.randn(50, 7, d, generator=generator, dtype=torch.float64))
    log_w = truth.log_joint(x, path.z) - path.log_q
    torch.testing.assert_close(log_w, truth.log_px(x).expand(50, 7), rtol=0, atol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_mean_field_gap_is_the_kl_to_the_exact_posterior(d):
    truth = linear_gaussian(d, 20)
    x, _ = simulated(truth, 3)
    kl = kl_divergence(
        as_distribution(truth.best_mean_field(x)), as_distribution(truth.posterior(x))
    )
    torch.testing.assert_close(kl, truth.mean_field_gap.expand(3), rtol=0, atol=1e-9)
    assert (kl > 0.1).all() == (d > 1)


def test_the_mean_field_gap_is_log_p_minus_the_elbo(generator):
    truth = linear_gaussian(3, 20)
    x, _ = simulated(truth, 4)
    path = truth.best_mean_field(x).path(
        torch.randn(40_000, 4, 3, generator=generator, dtype=torch.float64)
    )
    log_w = truth.log_joint(x, path.z) - path.log_q
    se = log_w.std(0) / 200
    assert ((truth.log_px(x) - log_w.mean(0) - truth.mean_field_gap).abs() < 4 * se).all()


def test_no_other_mean_field_gaussian_is_better(generator):
    truth = linear_gaussian(3, 20)
    x, _ = simulated(truth, 1)
    best, exact = truth.best_mean_field(x), as_distribution(truth.posterior(x))
    for _ in range(50):
        shift = 0.05 * torch.randn(2, 1, 3, generator=generator, dtype=torch.float64)
        other = GaussianPosterior(best.mean + shift[0] * 0.2, best.log_scale + shift[1])
        assert kl_divergence(as_distribution(other), exact) > truth.mean_field_gap


def test_orthogonal_columns_leave_no_mean_field_gap():
    weight, _ = torch.linalg.qr(torch.randn(10, 3, dtype=torch.float64))
    truth = LinearGaussian(weight, torch.zeros(10, dtype=torch.float64), 0.5)
    assert truth.mean_field_gap.abs() < 1e-12


@pytest.mark.parametrize("d", [2, 5])
def test_a_vae_with_the_exact_posterior_has_weights_that_are_all_p_of_x(d, generator):
    truth = linear_gaussian(d, 12)
    model = linear_vae(truth, "full")
    x, _ = simulated(truth, 4)
    log_w = model.log_weights(x, 30, generator)
    torch.testing.assert_close(log_w, truth.log_px(x).expand(30, 4), rtol=0, atol=1e-9)


def test_the_exact_values_are_read_off_a_model(generator):
    truth = linear_gaussian(3, 12)
    model = linear_vae(truth)
    found = of_model(model.float())
    x, _ = simulated(truth, 4)
    torch.testing.assert_close(found.log_px(x), truth.log_px(x), rtol=0, atol=1e-3)
    z = torch.randn(5, 4, 3, generator=generator)
    torch.testing.assert_close(
        model.log_joint(x.float(), z).double(), found.log_joint(x, z.double()), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("settings", [{"network": "mlp"}, {"likelihood": "bernoulli"}])
def test_other_models_have_no_exact_values(settings):
    settings = {"network": "linear", "likelihood": "gaussian", **settings}
    with pytest.raises(ValueError, match="linear network with the Gaussian likelihood"):
        of_model(VAE(ModelConfig(image_shape=(1, 4, 4), **settings)))

"""Every family: density, KL and flow steps against independent computations in float64."""

import math
from dataclasses import replace
from typing import TypeVar

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from tests.vae_core.conftest import FAMILIES
from vae_core.model.flows.autoregressive import InverseAutoregressiveStep
from vae_core.model.flows.base import StepShape
from vae_core.model.flows.planar import PlanarStep
from vae_core.model.posteriors import FlowPosterior, GaussianPosterior, Posterior, build_posterior
from vae_core.model.priors import StandardNormal
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import ModelFileError, load_model, save_model
from vae_core.settings.choices import FLOWS, PosteriorName
from vae_core.settings.config import ModelConfig

GAUSSIANS: tuple[PosteriorName, ...] = ("mean-field", "full")
FEATURES = 7
AnyModule = TypeVar("AnyModule", bound=torch.nn.Module)


def lively(module: AnyModule, generator: torch.Generator) -> AnyModule:
    """Weights far from their careful starting values, so that no term is negligible."""
    for parameter in module.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = 0.4 * noise
    return module.double()


def posterior_of(
    family: PosteriorName, d: int, batch: int, generator: torch.Generator
) -> Posterior:
    config = ModelConfig(posterior=family, latent_size=d, flow_steps=3, flow_hidden_size=16)
    head = lively(build_posterior(FEATURES, config), generator)
    return head(torch.randn(batch, FEATURES, generator=generator, dtype=torch.float64))


def multivariate_normal(q: GaussianPosterior) -> MultivariateNormal:
    return MultivariateNormal(q.mean, scale_tril=q.scale_tril)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("family", GAUSSIANS)
def test_gaussian_density_is_that_of_a_multivariate_normal(family, d, generator):
    q = posterior_of(family, d, 4, generator)
    assert isinstance(q, GaussianPosterior)
    z, log_q = q.rsample_and_log_prob(6, generator)
    torch.testing.assert_close(log_q, multivariate_normal(q).log_prob(z), rtol=0, atol=1e-10)


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("family", GAUSSIANS)
def test_gaussian_kl_is_the_closed_form(family, d, generator):
    q = posterior_of(family, d, 4, generator)
    assert isinstance(q, GaussianPosterior)
    prior = MultivariateNormal(torch.zeros(d).double(), torch.eye(d).double())
    kl = StandardNormal(d).kl(q, *q.rsample_and_log_prob(1, generator))
    expected = kl_divergence(multivariate_normal(q), prior)
    torch.testing.assert_close(kl[0], expected, rtol=0, atol=1e-10)


def test_full_covariance_correlates_and_mean_field_does_not(generator):
    full = posterior_of("full", 3, 1, generator)
    mean_field = posterior_of("mean-field", 3, 1, generator)
    assert isinstance(full, GaussianPosterior)
    assert isinstance(mean_field, GaussianPosterior)
    below = torch.tril(full.scale_tril[0], -1)
    assert (below[*torch.tril_indices(3, 3, -1)].abs() > 1e-3).all()
    assert torch.equal(torch.triu(full.scale_tril[0], 1), torch.zeros(3, 3).double())
    assert torch.equal(mean_field.scale_tril[0], torch.diag(mean_field.log_scale[0].exp()))


@pytest.mark.parametrize("d", [1, 2, 5])
@pytest.mark.parametrize("family", FLOWS)
def test_each_flow_step_gives_the_log_det_of_its_jacobian(family, d, generator):
    q = posterior_of(family, d, 2, generator)
    assert isinstance(q, FlowPosterior)
    path = q.path(q.noise(2, generator))
    for step, z, log_abs_det in zip(q.steps, path.points, path.log_abs_dets, strict=False):
        for n in range(2):
            for b in range(2):
                jacobian = torch.autograd.functional.jacobian(
                    lambda v, step=step, b=b: step(v[None, None], q.context[b : b + 1])[0][0, 0],
                    z[n, b],
                )
                expected = torch.linalg.slogdet(jacobian).logabsdet  # type: ignore[arg-type]
                torch.testing.assert_close(log_abs_det[n, b], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("family", FLOWS)
def test_flow_density_by_the_change_of_variables_from_noise_to_z(family, generator):
    """log q(z) = log p(ε) − log |det ∂z/∂ε|, with the Jacobian of the whole path by autograd."""
    d = 3
    q = posterior_of(family, d, 1, generator)
    epsilon = q.noise(1, generator)
    jacobian = torch.autograd.functional.jacobian(
        lambda v: q.path(v[None, None]).z[0, 0], epsilon[0, 0]
    )
    log_noise = -0.5 * epsilon.square().sum() - 0.5 * d * math.log(2 * math.pi)
    expected = log_noise - torch.linalg.slogdet(jacobian).logabsdet  # type: ignore[arg-type]
    torch.testing.assert_close(q.path(epsilon).log_q[0, 0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_kl_agrees_with_its_monte_carlo_estimate(family, generator):
    q = posterior_of(family, 2, 1, generator)
    z, log_q = q.rsample_and_log_prob(200_000, generator)
    log_p = -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)
    draws = (log_q - log_p)[:, 0]
    se = draws.std() / math.sqrt(len(draws))
    assert abs(StandardNormal(2).kl(q, z, log_q).mean() - draws.mean()) <= 4 * se


@pytest.mark.parametrize("family", FAMILIES)
def test_moments_are_those_of_the_draws(family, generator):
    q = posterior_of(family, 3, 2, generator)
    mean, variance = q.moments(20_000, generator)
    z, _ = q.rsample_and_log_prob(20_000, generator)
    torch.testing.assert_close(mean / z.std(0), z.mean(0) / z.std(0), rtol=0, atol=0.06)
    torch.testing.assert_close(variance, z.var(0), rtol=0.35, atol=0)


def test_planar_steps_stay_invertible_whatever_their_parameters(generator):
    """wᵀû ≥ −1 keeps 1 + h'(·) wᵀû positive, so f never folds (Rezende & Mohamed 2015, A.1)."""
    step = lively(PlanarStep(StepShape(4, FEATURES)), generator)
    h = 20 * torch.randn(500, FEATURES, generator=generator, dtype=torch.float64)
    z = torch.randn(10, 500, 4, generator=generator, dtype=torch.float64)
    _, log_abs_det = step(z, h)
    assert torch.isfinite(log_abs_det).all()


@pytest.mark.parametrize("reverse", [False, True])
def test_iaf_output_depends_on_earlier_dimensions_alone(reverse, generator):
    d = 5
    step = lively(
        InverseAutoregressiveStep(StepShape(d, FEATURES, 16, steps=2 if reverse else 1)), generator
    )
    h = torch.randn(1, FEATURES, generator=generator, dtype=torch.float64)
    z = torch.randn(d, generator=generator, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda v: step(v[None, None], h)[0][0, 0], z)
    jacobian = jacobian.flip(0) if reverse else jacobian  # type: ignore[union-attr]
    assert torch.equal(torch.triu(jacobian, 1), torch.zeros(d, d).double())
    below = jacobian[*torch.tril_indices(d, d, -1)]
    assert (below.abs() > 0).all()  # and on all of the earlier ones


@pytest.mark.parametrize("family", FAMILIES)
def test_images_do_not_influence_each_other(family, generator):
    q = posterior_of(family, 3, 5, generator)
    epsilon = q.noise(4, generator)
    whole, part = q.path(epsilon), q.rows(slice(2, 3)).path(epsilon[:, 2:3])
    torch.testing.assert_close(part.z, whole.z[:, 2:3])
    torch.testing.assert_close(part.log_q, whole.log_q[:, 2:3])


@pytest.mark.parametrize("network", ["mlp", "conv", "corrected-linear"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_gets_a_finite_gradient(family, network, test_digits):
    torch.manual_seed(0)
    shape = ModelConfig(image_shape=(1, 8, 8))
    model = VAE(replace(shape, posterior=family, latent_size=3, network=network, channels=4))
    for block in model.modules():  # a residual branch starts with gain 0, which hides its weights
        if hasattr(block, "gain"):
            torch.nn.init.ones_(block.gain)  # type: ignore[arg-type]
    model.log_weights(test_digits[:8], 2).mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("network", ["mlp", "conv", "corrected-linear"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_saved_model_is_the_same_model(family, network, test_digits, tmp_path):
    config = ModelConfig(
        posterior=family, latent_size=3, network=network, channels=4, image_shape=(1, 8, 8)
    )
    model = VAE(config)
    save_model(model, tmp_path / "model.safetensors")
    again = load_model(tmp_path)
    assert again.config == config
    x = test_digits[:4]
    with torch.no_grad():
        first = model.log_weights(x, 3, torch.Generator().manual_seed(1))
    second = again.log_weights(x, 3, torch.Generator().manual_seed(1))
    assert torch.equal(first, second)


def test_weights_of_another_version_are_refused_in_a_sentence(tmp_path, caplog):
    model = VAE(ModelConfig(image_shape=(1, 8, 8)))
    weights = {f"former.{name}": value for name, value in model.state_dict().items()}
    save_model(model, tmp_path / "model.safetensors", weights)
    with pytest.raises(ModelFileError) as refused:
        load_model(tmp_path)
    sentence = str(refused.value)
    assert "does not fit this version of the program" in sentence
    assert "former" not in sentence
    assert "state_dict" not in sentence
    assert "former" in caplog.text


def test_a_damaged_model_file_is_told_from_an_old_one(tmp_path, caplog):
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ModelFileError, match="is damaged"):
        load_model(tmp_path)
    assert "model.safetensors" in caplog.text


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (1, 13, 9), (3, 17, 31), (1, 5, 40)])
@pytest.mark.parametrize("network", ["mlp", "conv", "corrected-linear"])
def test_networks_take_any_image_size(network, shape):
    model = VAE(ModelConfig(network=network, channels=2, hidden_size=16, image_shape=shape))
    x = torch.rand(2, *shape)
    assert model.log_weights(x, 3).shape == (3, 2)
    assert model.mean_image(torch.zeros(4, 2)).shape == (4, *shape)


def test_an_image_of_another_shape_is_refused_with_both_shapes():
    model = VAE(ModelConfig(image_shape=(1, 8, 8)))
    with pytest.raises(ValueError, match=r"\(1, 8, 8\), not \(1, 28, 28\)"):
        model.posterior(torch.zeros(1, 1, 28, 28))

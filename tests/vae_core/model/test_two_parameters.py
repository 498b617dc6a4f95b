"""A likelihood with two parameters a pixel: every part of the core takes it as it is."""

import pytest
import torch
from torch import Tensor, nn

from vae_core.inference.annealing import simulate
from vae_core.inference.gauss_newton import fitted_gaussian
from vae_core.inference.importance import log_density
from vae_core.inference.proposals import refined_log_density
from vae_core.inference.quadrature import quadrature
from vae_core.model.likelihoods.base import Likelihood
from vae_core.model.vae import VAE
from vae_core.scoring.pixel_map import pixel_terms
from vae_core.settings import choices
from vae_core.settings.choices import LikelihoodChoice
from vae_core.settings.config import ModelConfig


class OwnScale(Likelihood):
    """Pixels N(m_i, s_i²), where the decoder gives both m_i and log s_i."""

    parameters_per_pixel = 2

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        mean, log_scale = outputs.unbind(-1)
        return torch.distributions.Normal(mean, log_scale.exp()).log_prob(x)

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs[..., 0]

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        mean, log_scale = outputs.unbind(-1)
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        return mean + log_scale.exp() * noise

    def initial_outputs(self, mean: Tensor) -> Tensor:
        return torch.stack([mean, torch.full_like(mean, -1.5)], -1)


@pytest.fixture(params=["mlp", "conv", "corrected-linear", "linear"])
def model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> VAE:
    entry = LikelihoodChoice("Own scale", f"{__name__}:OwnScale", "grey", "grey", "", "", "")
    monkeypatch.setitem(choices.LIKELIHOODS, "own-scale", entry)  # type: ignore[arg-type]
    config = ModelConfig(
        latent_size=1,
        hidden_size=8,
        network=request.param,
        likelihood="own-scale",
        image_shape=(2, 4, 5),
    )
    torch.manual_seed(1)
    return VAE(config).double()


def test_what_a_new_model_says_is_what_it_starts_from(model: VAE):
    mean = torch.rand(2, 4, 5, dtype=torch.float64)
    for weight in model.decoder.parameters():
        nn.init.zeros_(weight)
    model.start_from(mean)
    outputs = model.decode(torch.randn(3, 1, dtype=torch.float64))
    assert outputs.shape == (3, 40, 2)
    torch.testing.assert_close(outputs[0, :, 0], mean.flatten())
    torch.testing.assert_close(outputs[..., 1], torch.full((3, 40), -1.5, dtype=torch.float64))
    torch.testing.assert_close(model.mean_image(torch.zeros(1, 1).double())[0], mean)


def test_the_curvature_of_a_pixel_is_a_positive_matrix(generator):
    x, outputs = (torch.randn(size, generator=generator) for size in ((3, 6), (3, 6, 2)))
    slope, curvature = OwnScale().slope_and_curvature(x, outputs)
    assert slope.shape == (3, 6, 2)
    assert (torch.linalg.eigvalsh(curvature) > -1e-4).all()
    mean, log_scale = outputs.unbind(-1)
    torch.testing.assert_close(slope[..., 0], (x - mean) / (2 * log_scale).exp())
    at_mean = torch.stack([x, log_scale], -1)  # where the Hessian is positive, it is kept
    _, curvature = OwnScale().slope_and_curvature(x, at_mean)
    torch.testing.assert_close(curvature[..., 0, 0], (-2 * log_scale).exp(), rtol=1e-3, atol=1e-4)


def test_scores_agree_with_quadrature(model: VAE, generator):
    model.start_from(torch.full((2, 4, 5), 0.4, dtype=torch.float64))
    with torch.no_grad():
        x, _ = simulate(model, 3, generator)
    exact = quadrature(model, x)
    assert exact.reached.all()
    for estimate in (log_density(model, x, 3000), refined_log_density(model, x, 300)):
        away, known = (estimate.log_px - exact.log_px).abs(), estimate.trusted
        assert known.any()
        assert (away < 4.5 * estimate.se + 2e-3)[known].all()
    terms = pixel_terms(model, x[:1], 8)
    assert terms.log_likelihood.shape == terms.reconstruction.shape == (2, 4, 5)


def test_a_fitted_gaussian_finds_the_posterior(model: VAE, generator):
    model.start_from(torch.full((2, 4, 5), 0.4, dtype=torch.float64))
    with torch.no_grad():
        x, _ = simulate(model, 2, generator)
    exact = quadrature(model, x)
    start = ((exact.low + exact.high) / 2).expand(4, -1, -1)

    def noise() -> Tensor:
        half = torch.randn(2, 2, 1, generator=generator, dtype=torch.float64)
        return torch.cat([half, -half])

    fitted = fitted_gaussian(model, x, start, noise)
    z, log_q = fitted.rsample_and_log_prob(500, generator)
    log_w = (model.log_joint(x, z) - log_q).detach()
    assert (exact.log_px - log_w.mean(0)).abs().max() < 1

"""p(x|y), p(x) and p(y|x) of a model that is conditional on the class, against exact values."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from vae_core import load_dataset, load_model
from vae_core.basics.errors import InvalidArgument
from vae_core.inference.classes import class_densities, marginal_density, refined_class_densities
from vae_core.inference.importance import log_density
from vae_core.inference.proposals import refine, refined_log_density
from vae_core.inference.quadrature import quadrature
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig

CLASSES = 3


def _linear(likelihood: str = "gaussian") -> VAE:
    """A linear model with classes that overlap; p(y) is uneven."""
    torch.manual_seed(1)
    config = ModelConfig(
        conditioning="class",
        network="linear",
        likelihood=likelihood,  # type: ignore[arg-type]
        image_shape=(1, 2, 3),
        classes=CLASSES,
        latent_size=2,
    )
    model = VAE(config).double().eval()
    model.set_class_prior(torch.tensor([0, 1, 1, 2, 2, 2]))
    return model


def _exact_linear_gaussian(model: VAE, x: Tensor) -> Tensor:
    """log N(x; U_y + b, WWᵀ + σ²I) of each class, (B, classes)."""
    layer = model.decoder.inner.linear  # type: ignore[union-attr]
    weight, d = layer.weight.detach(), model.config.latent_size  # type: ignore[union-attr]
    sd = model.likelihood.log_scale.detach().exp()  # type: ignore[union-attr]
    covariance = weight[:, :d] @ weight[:, :d].T + torch.eye(6).double() * sd**2
    found = []
    for y in range(CLASSES):
        mean = weight[:, d + y] + layer.bias.detach()  # type: ignore[union-attr]
        normal = torch.distributions.MultivariateNormal(mean, covariance)
        found.append(normal.log_prob(x.flatten(1)))
    return torch.stack(found, 1)


def _images() -> Tensor:
    return torch.rand(4, 1, 2, 3, generator=torch.Generator().manual_seed(3)).double()


def test_p_of_y_given_x_of_a_linear_gaussian_model_is_exact_within_its_error():
    model, x = _linear(), _images()
    joint = _exact_linear_gaussian(model, x) + model.log_class_prior
    found = class_densities(model, x, 1000, estimate=refined_log_density)
    error = (found.probabilities - joint.softmax(1)).abs()
    assert (error <= 4 * found.probabilities_se + 1e-9).all()
    assert (found.log_px - joint.logsumexp(1)).abs().max() < 0.05


def test_p_of_y_given_x_agrees_with_quadrature():
    model = _linear("bernoulli")
    x = (_images() > 0.5).double()
    joint = torch.stack([quadrature(model.given(y), x).log_px for y in range(CLASSES)], 1)
    joint = joint + model.log_class_prior
    found = class_densities(model, x, 1000, estimate=refined_log_density)
    error = (found.probabilities - joint.softmax(1)).abs()
    assert (error <= 4 * found.probabilities_se).all()


def test_p_of_y_given_x_sums_to_one():
    found = class_densities(_linear(), _images(), 50)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(4).double())


def test_the_error_of_p_of_y_given_x_is_its_spread_over_seeds():
    model = _linear("bernoulli")
    x = (_images() > 0.5).double()[:1]
    proposals = itertools.cycle([refine(model.given(y), x) for y in range(CLASSES)])

    def estimate(own, x, n, seed, on_progress):
        return log_density(own, x, n, seed, on_progress, next(proposals))

    runs = [class_densities(model, x, 200, seed, estimate=estimate) for seed in range(40)]
    spread = torch.stack([each.probabilities for each in runs]).std(0)
    stated = torch.stack([each.probabilities_se for each in runs]).square().mean(0).sqrt()
    ratio = stated / spread
    assert (ratio > 0.7).all()
    assert (ratio < 1.5).all()


def test_p_of_x_is_the_sum_over_classes_and_its_bound_is_below():
    model, x = _linear("bernoulli"), (_images() > 0.5).double()
    found, parts = marginal_density(model, x, 500), class_densities(model, x, 500)
    torch.testing.assert_close(found.log_px, parts.log_px)
    assert (found.elbo <= found.log_px).all()
    torch.testing.assert_close(found.expected_log_likelihood - found.kl, found.elbo)


def test_an_unknown_error_of_a_class_that_matters_makes_the_error_unknown():
    found = class_densities(_linear(), _images(), 50)
    found.se[0] = math.nan
    assert found.probabilities_se[0].isnan().all()


def test_a_class_that_matters_is_estimated_as_if_alone_and_the_others_are_far_below():
    torch.manual_seed(0)
    model = load_model("pretrained/digits-given-class-d8")
    x = (load_dataset("digits").split("test")[0][:20] > 0.5).float()
    found = refined_class_densities(model, x, 200, seed=3)
    alone = class_densities(model, x, 200, seed=3, estimate=refined_log_density)
    matters = alone.log_joint > alone.log_joint.amax(1, keepdim=True) - 15
    assert 20 <= matters.sum() < 0.5 * matters.numel()
    torch.testing.assert_close(found.log_px_y[matters], alone.log_px_y[matters], atol=1e-3, rtol=0)
    torch.testing.assert_close(found.probabilities, alone.probabilities, atol=1e-4, rtol=0)
    assert (found.probabilities_se.isnan() == alone.probabilities_se.isnan()).all()


def test_with_refined_proposals_the_error_of_p_of_y_given_x_is_known():
    model = load_model("pretrained/digits-given-class-d8")
    x = (load_dataset("digits").split("test")[0][:20] > 0.5).float()
    refined = refined_class_densities(model, x, 1000).probabilities_se
    encoder = class_densities(model, x, 1000).probabilities_se
    assert refined.isfinite().all(1).sum() >= 18
    assert refined.isfinite().sum() >= encoder.isfinite().sum()


def test_a_model_without_classes_has_no_class_densities():
    with pytest.raises(InvalidArgument, match="--conditioning class"):
        class_densities(VAE(ModelConfig()), torch.zeros(1, 1, 28, 28), 10)

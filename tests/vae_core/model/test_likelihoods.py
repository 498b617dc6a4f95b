"""log p(x|z) against torch.distributions, where probabilities would underflow too."""

import math

import pytest
import torch
from torch import distributions as td

from vae_core.basics.named import load
from vae_core.model.likelihoods.base import Likelihood
from vae_core.model.likelihoods.bernoulli import Bernoulli
from vae_core.model.likelihoods.continuous_bernoulli import ContinuousBernoulli
from vae_core.model.likelihoods.gaussian import Gaussian
from vae_core.model.vae import VAE
from vae_core.settings.choices import LIKELIHOODS, LikelihoodName
from vae_core.settings.config import ModelConfig

GREY: tuple[LikelihoodName, ...] = ("continuous-bernoulli", "gaussian")
ONE_PARAMETER: tuple[LikelihoodName, ...] = ("bernoulli", *GREY)


def made(name: LikelihoodName) -> Likelihood:
    return load(LIKELIHOODS[name].builder)()


def reference(name: LikelihoodName, outputs: torch.Tensor) -> td.Distribution:
    if name == "bernoulli":
        return td.Bernoulli(logits=outputs)
    if name == "gaussian":
        return td.Normal(outputs, torch.full_like(outputs, 0.3))
    return td.ContinuousBernoulli(logits=outputs, lims=(0.48, 0.52))


def test_every_likelihood_is_tested():
    eight_bits = {n for n, each in LIKELIHOODS.items() if each.pixels == "levels"}
    assert set(LIKELIHOODS) == {*ONE_PARAMETER, *eight_bits}


@pytest.mark.parametrize("name", ONE_PARAMETER)
def test_it_is_the_log_probability_of_independent_pixels(name, generator):
    outputs = 3 * torch.randn(5, 2, 30, generator=generator, dtype=torch.float64)
    x = torch.rand(2, 30, generator=generator, dtype=torch.float64)
    x = x.round() if name == "bernoulli" else x
    expected = td.Independent(reference(name, outputs), 1).log_prob(x.expand(5, 2, 30))
    found = made(name).double()(x, outputs)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("output", [-90.0, -3.0, -0.02, 0.0, 1e-7, 0.049, 0.051, 40.0])
@pytest.mark.parametrize("name", GREY)
def test_a_density_of_grey_values_integrates_to_one(name, output):
    likelihood = made(name).double()
    low, high = (0.0, 1.0) if name == "continuous-bernoulli" else (output - 4, output + 4)
    x = torch.linspace(low, high, 400_001, dtype=torch.float64)
    density = likelihood.by_pixel(x, torch.tensor(output, dtype=torch.float64)).exp().detach()
    assert float(torch.trapezoid(density, x)) == pytest.approx(1, abs=1e-6)
    mean = float(torch.trapezoid(x * density, x))
    assert float(likelihood.mean(torch.tensor(output).double())) == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize("output", [-500.0, -0.05, -1e-3, 0.0, 0.05, 500.0])
def test_the_continuous_bernoulli_is_smooth_across_its_series(output):
    """Value and gradient in float32 are those in float64, near zero and far from it."""
    x = torch.tensor([0.0, 0.3, 1.0])
    found = []
    for kind in (torch.float32, torch.float64):
        at = torch.full((3,), output, dtype=kind, requires_grad=True)
        value = ContinuousBernoulli().by_pixel(x.to(kind), at)
        (slope,) = torch.autograd.grad(value.sum(), at)
        found.append((value.detach().double(), slope.double()))
    for single, double in zip(*found, strict=True):
        torch.testing.assert_close(single, double, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ONE_PARAMETER)
def test_draws_have_the_mean(name, generator):
    likelihood = made(name)
    outputs = torch.tensor([-60.0, -2.0, 0.0, 1e-5, 0.5, 7.0])
    draws = likelihood.sample(outputs.expand(100_000, 6), generator).detach()
    if name != "gaussian":
        assert draws.min() >= 0
        assert draws.max() <= 1
    away = (draws.mean(0) - likelihood.mean(outputs)) / (draws.std(0) / math.sqrt(100_000) + 1e-9)
    assert away.detach().abs().max() < 4.5


@pytest.mark.parametrize("name", ONE_PARAMETER)
def test_initial_outputs_have_the_mean_they_were_made_for(name):
    likelihood = made(name).double()
    mean = torch.tensor([0.02, 0.3, 0.5, 0.9], dtype=torch.float64)
    torch.testing.assert_close(likelihood.mean(likelihood.initial_outputs(mean)), mean)
    assert torch.isfinite(likelihood.initial_outputs(torch.tensor([0.0, 1.0]))).all()


@pytest.mark.parametrize("name", ONE_PARAMETER)
def test_slope_and_curvature_are_the_derivatives(name, generator):
    """By central differences of log p(x_i; l_i)."""
    likelihood = made(name).double()
    outputs = torch.randn(3, 20, generator=generator, dtype=torch.float64)
    x = torch.rand(3, 20, generator=generator, dtype=torch.float64).round()
    step = 1e-4
    low, here, high = (likelihood.by_pixel(x, outputs + s).detach() for s in (-step, 0, step))
    slope, curvature = likelihood.slope_and_curvature(x, outputs)
    torch.testing.assert_close(slope, (high - low) / (2 * step), rtol=1e-5, atol=1e-5)
    bend = -(high - 2 * here + low) / step**2
    torch.testing.assert_close(curvature, bend, rtol=1e-4, atol=1e-4)


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[[-200.0, 200.0]]])
    assert Bernoulli()(torch.tensor([[1.0, 0.0]]), logits).item() == -400.0
    assert Bernoulli()(torch.tensor([[0.0, 1.0]]), logits).item() == 0.0


def test_the_probabilities_of_all_images_sum_to_one():
    logits = torch.tensor([0.3, -1.2, 2.0, 0.0], dtype=torch.float64)
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    total = Bernoulli()(images, logits.expand(1, 16, 4)).logsumexp(1)
    torch.testing.assert_close(total, torch.zeros(1, dtype=torch.float64))


def test_the_scale_of_the_gaussian_is_learned():
    likelihood = Gaussian()
    x = torch.tensor([[1.0, 2.0]])
    loss = -likelihood(x, torch.zeros(1, 1, 2)).mean()
    (slope,) = torch.autograd.grad(loss, likelihood.log_scale)
    assert float(slope) == pytest.approx(2 - 5 / 0.3**2, rel=1e-5)


@pytest.mark.parametrize("pixels", [1, 64, 127, 784, 2 * 131])
def test_the_bernoulli_in_few_passes_is_its_formula_and_so_is_its_gradient(pixels, generator):
    x = torch.rand(3, pixels, generator=generator, dtype=torch.float64)
    logits = 40 * torch.randn(5, 3, pixels, generator=generator, dtype=torch.float64)
    logits.requires_grad_()
    bernoulli = Bernoulli()
    values = [bernoulli(x, logits), bernoulli.by_pixel(x, logits).sum(-1)]
    torch.testing.assert_close(*values, rtol=1e-12, atol=1e-9)
    slopes = [torch.autograd.grad((value * value.detach()).sum(), logits)[0] for value in values]
    torch.testing.assert_close(*slopes, rtol=1e-9, atol=1e-9)


def test_the_bernoulli_in_float32_is_good_to_a_ten_thousandth_of_a_nat(generator):
    x = torch.rand(4, 784, generator=generator).round()
    logits = 6 * torch.randn(50, 4, 784, generator=generator)
    exact = Bernoulli()(x.double(), logits.double())
    assert (Bernoulli()(x, logits) - exact).abs().max() < 1e-3
    assert (Bernoulli()(x, logits) - exact).mean().abs() < 1e-4


def test_pixels_that_are_surely_off_cost_no_accuracy(generator):
    """A long training drives their logits to hundreds below zero: 10⁵ in all, to be cancelled."""
    x = (torch.rand(4, 784, generator=generator) < 0.1).float()
    logits = torch.where(x.bool(), 6.0, -400.0) + 6 * torch.randn(50, 4, 784, generator=generator)
    exact = Bernoulli()(x.double(), logits.double())
    assert (Bernoulli()(x, logits) - exact).abs().max() < 2e-4


def test_the_bernoulli_does_not_cancel_at_large_logits():
    """Logits near 10,000 in float32: the sum is that of float64, as pixel by pixel."""
    generator = torch.Generator().manual_seed(0)
    logits = 1e4 * (1 + torch.rand(50, 1, 784, generator=generator))
    x = (torch.rand(1, 784, generator=generator) < 0.9999).float()
    x[0, 0] = 1
    logits[..., 0] = 2.0
    exact = Bernoulli().by_pixel(x.double(), logits.double()).sum(-1)
    torch.testing.assert_close(Bernoulli()(x, logits).double(), exact, rtol=2e-7, atol=1e-4)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_many_images_at_the_same_latents_are_as_each_alone(name, generator):
    torch.manual_seed(0)
    model = VAE(ModelConfig(latent_size=2, hidden_size=8, image_shape=(1, 5, 6), likelihood=name))
    model = model.double().requires_grad_(False)
    x = torch.rand(4, 30, generator=generator, dtype=torch.float64).round()
    outputs = model.decode(20 * torch.randn(7, 2, generator=generator, dtype=torch.float64))
    together = model.likelihood.at_shared(x, outputs)
    alone = [model.likelihood(image[None], outputs[:, None])[:, 0] for image in x]
    torch.testing.assert_close(together, torch.stack(alone, 1))


def test_many_images_at_the_same_latents_do_not_cancel_at_large_logits():
    generator = torch.Generator().manual_seed(0)
    logits = 1e4 * (2 * torch.rand(20, 784, generator=generator) - 1)
    x = (torch.rand(3, 784, generator=generator) < 0.5).float()
    exact = Bernoulli().by_pixel(x.double(), logits.double()[:, None]).sum(-1)
    torch.testing.assert_close(
        Bernoulli().at_shared(x, logits).double(), exact, rtol=1e-6, atol=1e-4
    )

"""Mixtures of discretised logistics, in grey and in colour."""

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax

from vae_core.model.likelihoods.discretised_logistic import DiscretisedLogistic
from vae_core.model.likelihoods.logistic_mixture import DiscretisedLogisticMixture
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig

CHANNELS = [1, 2, 3, 4]


def made(channels: int, components: int = 3) -> DiscretisedLogisticMixture:
    return DiscretisedLogisticMixture(channels, components)


def drawn_outputs(likelihood: DiscretisedLogisticMixture, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    size = (*shape, likelihood.parameters_per_pixel)
    return torch.randn(size, generator=generator, dtype=torch.float64) - 0.5


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", CHANNELS)
def test_the_masses_of_a_channel_given_the_earlier_ones_sum_to_one(channels, kind, generator):
    likelihood = made(channels)
    outputs = 3 * drawn_outputs(likelihood, channels).to(kind)
    for channel in range(channels):
        x = torch.rand(channels, generator=generator).repeat(256, 1)
        x[:, channel] = torch.arange(256.0) / 255
        masses = likelihood.by_pixel(x.to(kind), outputs[None]).double().exp()
        assert float(masses[..., channel].sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("channels", CHANNELS)
def test_the_channels_of_a_pixel_add_up_to_its_log_probability(channels, generator):
    likelihood = made(channels)
    outputs = drawn_outputs(likelihood, 2, 3, 5 * channels)
    x = torch.rand(3, 5 * channels, generator=generator, dtype=torch.float64)
    by_pixel = likelihood.by_pixel(x, outputs)
    assert by_pixel.shape == (2, 3, 5 * channels)
    assert (by_pixel <= 0).all()
    torch.testing.assert_close(by_pixel.sum(-1), likelihood(x, outputs))


def test_it_is_the_mixture_of_salimans_and_others(generator):
    """Red, green and blue of one pixel, written out with NumPy."""
    likelihood = made(3, components=2)
    outputs = drawn_outputs(likelihood, 3)
    x = torch.rand(1, 3, generator=generator, dtype=torch.float64)
    values = np.rint(x[0].numpy() * 255)
    red, green, _ = values / 127.5 - 1
    rows = outputs.numpy().reshape(3, 4, 2)  # channel; logit, mean, log scale, link; component
    log_shares = log_softmax(rows[:, 0].mean(0))
    alpha, beta, gamma = np.tanh(rows[:, 3])
    means = rows[:, 1] + np.stack([0 * alpha, alpha * red, beta * red + gamma * green])
    scales = np.exp(rows[:, 2])
    total = 0.0
    for k in range(2):
        product = np.exp(log_shares[k])
        for c in range(3):
            upper = np.inf if values[c] == 255 else (values[c] - 127) / 127.5
            lower = -np.inf if values[c] == 0 else (values[c] - 128) / 127.5
            product *= expit((upper - means[c, k]) / scales[c, k]) - expit(
                (lower - means[c, k]) / scales[c, k]
            )
        total += product
    found = likelihood(x, outputs[None, None])
    torch.testing.assert_close(found.exp().item(), float(total), rtol=1e-9, atol=0)


def test_one_component_in_grey_is_the_discretised_logistic(generator):
    outputs = torch.randn(2, 3, 7, 2, generator=generator, dtype=torch.float64)
    x = torch.rand(3, 7, generator=generator, dtype=torch.float64)
    mixed = torch.cat([torch.zeros_like(outputs[..., :1]), outputs], -1)
    single, mixture = DiscretisedLogistic(), made(1, components=1)
    torch.testing.assert_close(mixture.by_pixel(x, mixed), single.by_pixel(x, outputs))
    torch.testing.assert_close(mixture.mean(mixed), single.mean(outputs))


def test_float32_agrees_with_float64(generator):
    likelihood = made(3)
    outputs = 2 * drawn_outputs(likelihood, 4, 2, 3 * 64)
    x = (torch.rand(2, 3 * 64, generator=generator) * 255).round() / 255
    exact = likelihood(x.double(), outputs)
    torch.testing.assert_close(likelihood(x, outputs.float()).double(), exact, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("log_scale", [-12.0, -8.0, -3.0, 5.0])
def test_gradients_are_finite(log_scale, generator):
    likelihood = made(3)
    outputs = drawn_outputs(likelihood, 1, 2, 3 * 16).float()
    outputs[..., 6:9] = log_scale
    x = (torch.rand(2, 3 * 16, generator=generator) * 255).round() / 255
    x[0], x[1, :16] = 0.0, 1.0
    outputs.requires_grad_()
    log_p = likelihood(x, outputs)
    (slope,) = torch.autograd.grad(log_p.sum(), outputs)
    assert log_p.isfinite().all()
    assert slope.isfinite().all()


@pytest.mark.parametrize("channels", [1, 3])
def test_draws_have_the_probabilities(channels, generator):
    """The mean of log p of a channel given the earlier ones is its sum over all values."""
    likelihood, count = made(channels), 300
    outputs = drawn_outputs(likelihood, 1, channels)
    outputs[..., 6:9] -= 2
    drawn = likelihood.sample(outputs.expand(count, -1, -1), generator)
    torch.testing.assert_close(drawn, (drawn * 255).round() / 255)
    for channel in range(channels):
        x = drawn.repeat_interleave(256, 0)
        x[:, channel] = torch.arange(256.0).repeat(count) / 255
        log_p = likelihood.by_pixel(x, outputs)[:, channel].view(count, 256)
        away = likelihood.by_pixel(drawn, outputs)[:, channel] - (log_p.exp() * log_p).sum(-1)
        assert away.mean().abs() < 4.5 * away.std() / count**0.5


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_draws_have_the_mean(channels, generator):
    likelihood, count = made(channels), 40_000
    outputs = drawn_outputs(likelihood, channels)
    outputs[:, 3:6] *= 0.3
    outputs[:, 6:9] -= 3  # away from black and white
    drawn = likelihood.sample(outputs.expand(count, channels, -1), generator)
    away = drawn.mean(0) - likelihood.mean(outputs)
    assert (away.abs() < 4.5 * drawn.std(0) / count**0.5 + 2e-3).all()


def test_initial_outputs_have_the_mean_they_were_made_for():
    mean = torch.tensor([0.02, 0.3, 0.5, 0.9, 0.2, 0.7], dtype=torch.float64)
    for channels, components in ((1, 5), (1, 1), (2, 4), (3, 5)):
        likelihood = made(channels, components)
        outputs = likelihood.initial_outputs(mean)
        assert outputs.shape == (6, likelihood.parameters_per_pixel)
        torch.testing.assert_close(likelihood.mean(outputs), mean, rtol=0, atol=1e-6)
        assert likelihood.initial_outputs(torch.tensor([0.0, 1.0])).isfinite().all()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_curvature_along_the_latents_is_positive_and_no_smaller_than_the_fisher_information(
    channels, generator
):
    """Averaged over draws x, known components tell more than unknown ones, and all is finite."""
    likelihood, count = made(channels), 20_000
    outputs = drawn_outputs(likelihood, channels)
    columns = torch.randn(1, 4, *outputs.shape, generator=generator, dtype=torch.float64)
    drawn = likelihood.sample(outputs.expand(count, -1, -1), generator)
    slope, curvature = likelihood.pull_back(
        drawn, outputs.expand(count, -1, -1), columns.expand(count, -1, -1, -1)
    )
    assert (torch.linalg.eigvalsh(curvature)[:, 0] > -1e-9).all()
    fisher = (slope[..., None] * slope[:, None]).mean(0)
    more = torch.linalg.eigvalsh(curvature.mean(0) - fisher)
    assert more[0] > -0.05 * torch.linalg.eigvalsh(fisher)[-1]


def test_with_one_component_the_mean_curvature_is_the_fisher_information(generator):
    likelihood, count = made(3, components=1), 60_000
    outputs = drawn_outputs(likelihood, 3)
    outputs[:, 2] -= 1
    columns = torch.randn(1, 3, *outputs.shape, generator=generator, dtype=torch.float64)
    drawn = likelihood.sample(outputs.expand(count, -1, -1), generator)
    slope, curvature = likelihood.pull_back(
        drawn, outputs.expand(count, -1, -1), columns.expand(count, -1, -1, -1)
    )
    fisher = (slope[..., None] * slope[:, None]).mean(0)
    torch.testing.assert_close(
        curvature.mean(0), fisher, rtol=0.05, atol=0.03 * float(fisher.max())
    )


def test_the_pulled_slope_is_the_gradient_in_the_latents(generator):
    likelihood = made(3)
    base = drawn_outputs(likelihood, 1, 6)
    columns = torch.randn(1, 2, 6, base.shape[-1], generator=generator, dtype=torch.float64)
    x = torch.rand(1, 6, generator=generator, dtype=torch.float64)
    z = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    outputs = base + (z[:, None, None] * columns[0]).sum(0)
    (expected,) = torch.autograd.grad(likelihood(x, outputs[None]).sum(), z)
    slope, _ = likelihood.pull_back(x, base, columns)
    torch.testing.assert_close(slope[0], expected)


def test_the_curvature_of_each_value_is_its_block_of_the_whole(generator):
    likelihood = made(3, components=2)
    outputs = drawn_outputs(likelihood, 1, 6)
    x = torch.rand(1, 6, generator=generator, dtype=torch.float64)
    size = outputs[0].numel()
    everything = torch.eye(size, dtype=torch.float64).view(1, size, *outputs.shape[1:])
    slope, whole = likelihood.pull_back(x, outputs, everything)
    own_slope, blocks = likelihood.slope_and_curvature(x, outputs)
    torch.testing.assert_close(own_slope.flatten(1), slope)
    parameters = likelihood.parameters_per_pixel
    for i in range(6):
        rows = slice(i * parameters, (i + 1) * parameters)
        torch.testing.assert_close(blocks[0, i], whole[0, rows, rows])


def test_a_model_starts_from_the_mean_image():
    config = ModelConfig(
        likelihood="discretised-logistic-mixture", image_shape=(3, 9, 8), network="conv", channels=4
    )
    model = VAE(config).double().requires_grad_(False)
    for weight in model.decoder.parameters():
        weight.zero_()
    mean = 0.1 + 0.8 * torch.rand(3, 9, 8, dtype=torch.float64)
    model.start_from(mean)
    z = torch.zeros(2, 1, 2, dtype=torch.float64)
    assert model.decode(z).shape == (2, 1, 3 * 72, model.likelihood.parameters_per_pixel)
    torch.testing.assert_close(model.mean_image(z)[0, 0], mean, rtol=0, atol=1e-6)


def test_the_number_of_components_is_a_setting():
    config = ModelConfig(
        likelihood="discretised-logistic-mixture", mixture_components=2, image_shape=(3, 8, 8)
    )
    assert VAE(config).decode(torch.zeros(1, 2)).shape == (1, 192, 2 * 4)

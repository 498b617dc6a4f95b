"""Networks that correct a linear map, and start as probabilistic PCA."""

import pytest
import torch

from tests.vae_core.linear import linear_gaussian, simulated
from vae_core.data.datasets import Dataset
from vae_core.inference.importance import log_density
from vae_core.model.linear_gaussian import LinearGaussian
from vae_core.model.principal import principal_components
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig
from vae_core.training.start import start_from_data


def model_of(shape: tuple[int, int, int], **settings: object) -> VAE:
    torch.manual_seed(0)
    config = {"posterior": "mean-field", "latent_size": 3, "channels": 2} | settings
    return VAE(ModelConfig(network="corrected-linear", image_shape=shape, **config)).double()  # type: ignore[arg-type]


@pytest.mark.parametrize("posterior", ["mean-field", "full"])
def test_with_gaussian_pixels_the_first_elbo_is_the_log_px_of_probabilistic_pca(posterior):
    x, _ = simulated(linear_gaussian(d=3, pixels=64, scale=0.3), 300)
    images = x.reshape(300, 1, 8, 8)
    model = model_of((1, 8, 8), likelihood="gaussian", posterior=posterior)
    with torch.no_grad():
        model.start_from_components(images)
        log_w = model.log_weights(images[:20], 4)
    found = principal_components(images, 3)
    weight = found.from_codes().flatten(1).T
    truth = LinearGaussian(weight, found.mean.flatten(), found.noise.sqrt().item())
    torch.testing.assert_close(log_w, truth.log_px(images[:20]).expand(4, 20))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("likelihood", ["discretised-logistic", "discretised-logistic-mixture"])
def test_8_bit_pixels_start_with_far_fewer_bits_than_the_mean_image_takes(likelihood, channels):
    shape = (channels, 8, 8)
    images = smooth_images(200, shape)
    first, started = (model_of(shape, likelihood=likelihood) for _ in range(2))
    first.start_from(images.double().mean(0) / 255)
    start_from_data(started, images, 0)
    x = images[:50].double() / 255
    with torch.no_grad():
        without, with_components = (log_density(m, x, 20).elbo.mean() for m in (first, started))
    assert with_components > without + 0.5 * x[0].numel()  # half a nat for each pixel


def smooth_images(count: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Images that a few numbers describe, in colours that are nearly grey; uint8."""
    draw = torch.Generator().manual_seed(1)
    basis = torch.randn(3, *shape[1:], generator=draw)
    grey = torch.einsum("nk,khw->nhw", torch.randn(count, 3, generator=draw), basis)[:, None]
    noise = torch.randn(count, 1, *shape[1:], generator=draw)
    tint = torch.randn(count, *shape, generator=draw)
    return (128 + 25 * grey + 10 * noise + 3 * tint).clamp(0, 255).round().to(torch.uint8)


def test_the_start_follows_the_colours_left_over():
    """Most of what is left of a pixel is grey, so that red tells much of green and blue."""
    shape = (3, 8, 8)
    images = smooth_images(200, shape)
    model = model_of(shape, likelihood="discretised-logistic-mixture")
    start_from_data(model, images, 0)
    x = images[:50].double() / 255
    with torch.no_grad():
        z, _ = model.posterior(x).rsample_and_log_prob(1)
        by_pixel = model.likelihood.by_pixel(x.flatten(1), model.decode(z))
    red, green, blue = by_pixel.unflatten(-1, (3, 64)).mean((0, 1, 3))
    assert green > red + 0.5
    assert blue > red + 0.5


def test_the_expected_image_is_that_of_the_components():
    images = smooth_images(200, (3, 8, 8))
    model = model_of((3, 8, 8), likelihood="discretised-logistic-mixture")
    start_from_data(model, images, 0)
    found = principal_components(images.float() / 255, 3)
    z = 0.3 * torch.randn(5, 3, dtype=torch.float64)
    with torch.no_grad():
        shown = model.mean_image(z)
    moves = torch.einsum("nk,kchw->nchw", z.float(), found.from_codes())

    torch.testing.assert_close(shown.float(), found.mean + moves, rtol=0, atol=0.02)


def test_binary_digits_have_a_start_too_and_a_code_moves_the_expected_image(digits: Dataset):
    """Slopes of the logits are taken where a pixel may be black in every image."""
    images = digits.split("train")[0]
    model = model_of((1, 8, 8), latent_size=2)
    start_from_data(model, images, 0)
    found = principal_components(images.float() / 255, 2)
    with torch.no_grad():
        nothing, some = model.mean_image(torch.tensor([[0.0, 0.0], [0.1, 0.0]]).double())
    torch.testing.assert_close(nothing.float(), found.mean, rtol=0, atol=0.02)
    moved, direction = (some - nothing).flatten().float(), found.from_codes()[0].flatten()
    assert torch.cosine_similarity(moved, direction, 0) > 0.9


def test_a_flow_starts_at_random_and_keeps_the_codes_at_hand(digits: Dataset):
    model = model_of((1, 8, 8), posterior="iaf", likelihood="discretised-logistic")
    start_from_data(model, digits.split("train")[0], 0)
    x = digits.split("test")[0][:3].double() / 255
    h = model.encode(x)
    assert h.shape == (3, 256 + 3)
    assert h[:, -3:].std() > 0.1

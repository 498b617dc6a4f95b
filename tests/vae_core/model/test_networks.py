"""Convolutional networks for images of any size."""

import pytest
import torch

from vae_core.model.networks import ConvDecoder, ConvEncoder
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig

SHAPES = [
    (1, 8, 8), (3, 8, 128), (3, 128, 8), (1, 28, 20), (3, 33, 47), (1, 105, 105), (3, 128, 128),
]  # fmt: skip


def small(shape: tuple[int, int, int]) -> VAE:
    config = ModelConfig(
        network="conv",
        channels=2,
        image_shape=shape,
        likelihood="discretised-logistic-mixture",
        mixture_components=1,
    )
    torch.manual_seed(0)
    return VAE(config).requires_grad_(False)


@pytest.mark.parametrize("shape", SHAPES)
def test_images_of_any_size_are_encoded_and_decoded_one_at_a_time_too(shape):
    """No layer looks at other images of the batch, so an image's figures are its own."""
    model, x = small(shape).train(), torch.rand(2, *shape)
    h, alone = model.encode(x), model.encode(x[:1])
    torch.testing.assert_close(alone, h[:1], rtol=1e-4, atol=1e-5)
    z = torch.randn(2, 2)
    outputs = model.decode(z)
    assert outputs.shape == (2, x[0].numel(), model.likelihood.parameters_per_pixel)
    torch.testing.assert_close(model.decode(z[:1]), outputs[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "depth"), [((8, 8), 1), ((28, 20), 2), ((32, 32), 3), ((64, 48), 3), ((128, 128), 5)]
)
def test_the_depth_grows_with_the_image(size, depth):
    assert len(ConvDecoder(2, (1, *size), 2).stages) == depth
    layers = ConvEncoder((1, *size), 2).body
    assert sum(getattr(each, "stride", None) == (2, 2) for each in layers) == depth


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pixel_of_an_image_reaches_the_features(shape):
    model = small(shape)
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    x = torch.full((5, *shape), 0.5)
    for image, (row, column) in enumerate(corners):
        x[image, :, row, column] = 1
    h = model.encode(x)
    assert all((h[image] != h[4]).any() for image in range(4))

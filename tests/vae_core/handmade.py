"""Models in float64 with an encoder and posterior family, whose true posterior is known."""

import math
from pathlib import Path

import torch
from torch import Tensor

from vae_core.model.likelihoods.gaussian import Gaussian
from vae_core.model.linear_gaussian import LinearGaussian
from vae_core.model.networks import LinearDecoder
from vae_core.model.vae import VAE
from vae_core.settings.choices import PosteriorName
from vae_core.settings.config import ModelConfig


def linear_model(truth: LinearGaussian, family: PosteriorName) -> VAE:
    """The linear-Gaussian model as a VAE with an untrained encoder."""
    pixels, d = truth.weight.shape
    model = _untrained(
        ModelConfig(
            posterior=family,
            latent_size=d,
            network="linear",
            likelihood="gaussian",
            image_shape=(1, 1, pixels),
        )
    )
    decoder, likelihood = model.decoder, model.likelihood
    assert isinstance(decoder, LinearDecoder)
    assert isinstance(likelihood, Gaussian)
    decoder.linear.weight.copy_(truth.weight)
    decoder.linear.bias.copy_(truth.bias)
    likelihood.log_scale.fill_(math.log(truth.scale))
    return model


def _untrained(config: ModelConfig, kind: type[VAE] = VAE) -> VAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return kind(config).double().requires_grad_(False)


class Ridge(VAE):
    """A VAE of one pixel. Its p(z|x) is a narrow ridge at 45°, slightly curved."""

    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        along, across = (z[..., 0] + z[..., 1]) / 2**0.5, (z[..., 0] - z[..., 1]) / 2**0.5
        middle = 0.35 * (along.square() - 1) + x.flatten(1)[:, 0] - 0.5
        return -0.5 * ((across - middle) / 0.25).square()


def ridge_model(family: PosteriorName) -> VAE:
    """An untrained ``Ridge`` with d = 2; the value of its pixel moves the ridge."""
    config = ModelConfig(
        posterior=family,
        latent_size=2,
        hidden_size=16,
        flow_hidden_size=16,
        image_shape=(1, 1, 1),
    )
    return _untrained(config, Ridge)


def change_weights(path: Path) -> bytes:
    """Change one bit of a model's weights; return the file's former content."""
    kept = path.read_bytes()
    path.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    return kept

"""Linear-Gaussian models, whose posterior and log p(x) are known exactly."""

import math

import torch
from torch import Tensor

from vae_core.model.linear_gaussian import LinearGaussian
from vae_core.model.vae import VAE
from vae_core.settings.choices import PosteriorName
from vae_core.settings.config import ModelConfig


def linear_gaussian(d: int, pixels: int, scale: float = 0.7, seed: int = 0) -> LinearGaussian:
    """A model in float64 with correlated columns, so that its true posterior is correlated."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(pixels, d, generator=generator, dtype=torch.float64)
    weight = weight + 0.6 * weight[:, :1]
    bias = torch.randn(pixels, generator=generator, dtype=torch.float64)
    return LinearGaussian(weight, bias, scale)


def simulated(truth: LinearGaussian, count: int, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Draw images (count, 1, 1, D) and return them with their latents (count, d)."""
    generator = torch.Generator().manual_seed(seed)
    pixels, d = truth.weight.shape
    z = torch.randn(count, d, generator=generator, dtype=torch.float64)
    noise = torch.randn(count, pixels, generator=generator, dtype=torch.float64)
    x = z @ truth.weight.T + truth.bias + truth.scale * noise
    return x[:, None, None], z


def linear_vae(
    truth: LinearGaussian, family: PosteriorName = "mean-field", narrowing: float = 1.0
) -> VAE:
    """The model as a VAE in float64 whose encoder gives the best Gaussian of the family.

    The mean of this Gaussian is a linear function of x; its covariance is the same for every x. Its
    standard deviations are divided by ``narrowing``.
    """
    pixels, d = truth.weight.shape
    config = ModelConfig(
        posterior=family,
        latent_size=d,
        network="linear",
        likelihood="gaussian",
        image_shape=(1, 1, pixels),
    )
    model = VAE(config).double().eval().requires_grad_(False)
    x = torch.cat([torch.zeros(1, pixels), torch.eye(pixels)]).double()
    q = truth.posterior(x) if family == "full" else truth.best_mean_field(x)
    weights = model.state_dict()  # the model's own tensors
    weights["decoder.linear.weight"].copy_(truth.weight)
    weights["decoder.linear.bias"].copy_(truth.bias)
    weights["likelihood.log_scale"].fill_(math.log(truth.scale))
    gaussian = "to_posterior.diagonal" if family == "full" else "to_posterior"
    weights[f"{gaussian}.mean_and_log_scale.weight"].zero_()[:d] = (q.mean[1:] - q.mean[0]).T
    log_scale = q.log_scale[0] - math.log(narrowing)
    weights[f"{gaussian}.mean_and_log_scale.bias"].copy_(torch.cat([q.mean[0], log_scale]))
    if q.lower is not None:
        below = torch.tril_indices(d, d, -1)
        weights["to_posterior.off_diagonal.weight"].zero_()
        in_units_of_sigma = q.lower[0] / q.log_scale[0].exp()[:, None]
        weights["to_posterior.off_diagonal.bias"].copy_(in_units_of_sigma[below[0], below[1]])
    return model

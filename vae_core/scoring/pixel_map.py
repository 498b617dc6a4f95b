"""Pixel maps: log p(x_i|z) of each pixel of an image, in nats."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.model.vae import VAE

_PIXEL_SAMPLES = 64


@dataclass(frozen=True)
class PixelTerms:
    """Reconstruction and log-likelihood of each pixel of an image; each (C, H, W), on the CPU.

    Attributes:
        reconstruction: E[x|z] averaged over z ~ q(z|x), in [0, 1].
        log_likelihood: log p(x_i|z) averaged over z ~ q(z|x), in nats; its sum over the pixels is
            the first term of the ELBO (note eq. 4).
    """

    reconstruction: Tensor
    log_likelihood: Tensor


@torch.no_grad()
def pixel_terms(model: VAE, x: Tensor, samples: int = _PIXEL_SAMPLES, seed: int = 0) -> PixelTerms:
    """Measure the log-likelihood of each pixel of x (1, C, H, W), by ``samples`` draws of z."""
    x = model.as_images(x)
    q = model.posterior(x)
    z = q.path(q.noise(samples, torch.Generator(model.device).manual_seed(seed))).z
    outputs = model.decode(z)  # (n, 1, D)
    log_likelihood = model.likelihood.by_pixel(x.flatten(1), outputs).mean((0, 1))
    reconstruction = model.likelihood.mean(outputs).clamp(0, 1).mean((0, 1))
    shape = model.config.image_shape
    return PixelTerms(reconstruction.view(shape).cpu(), log_likelihood.view(shape).cpu())

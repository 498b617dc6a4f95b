"""github.com/riannevdberg/sylvester-flows, utils/log_likelihood.py: image by image, S = 5000
samples in ten passes of 500 copies of the image; every copy is encoded."""

import math

import numpy as np
import torch
from scipy.special import logsumexp
from torch import Tensor
from torch.nn import functional as F

from vae_core.model.vae import VAE

COPIES = 500


@torch.no_grad()
def calculate_likelihood(model: VAE, x: Tensor, samples: int) -> np.ndarray:
    """log p̂(x) of each image under a mean-field model: their loop, with our networks."""
    scores = []
    for image in x:
        log_weights = []
        for _ in range(samples // COPIES):
            copies = image.expand(COPIES, *image.shape).contiguous()
            mean, log_scale = model.to_posterior.mean_and_log_scale(model.encoder(copies)).chunk(
                2, -1
            )
            variance = (2 * log_scale).exp()
            z = mean + torch.randn_like(mean) * variance.sqrt()
            pixels = torch.sigmoid(model.decoder(z))
            cross_entropy = F.binary_cross_entropy(pixels, copies.flatten(1), reduction="none")
            log_pz = (-0.5 * z * z).sum(1)
            log_qz = (-0.5 * (variance.log() + (z - mean) ** 2 / variance)).sum(1)
            log_weights.append((log_pz - log_qz - cross_entropy.sum(1)).numpy())
        stacked = np.asarray(log_weights).reshape(-1, 1)
        scores.append(logsumexp(stacked) - math.log(len(stacked)))
    return np.array(scores)

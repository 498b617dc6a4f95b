"""Gaussian pixels with one learned scale."""

import math

import torch
from torch import Tensor, nn

from vae_core.model.likelihoods.base import Likelihood


class Gaussian(Likelihood):
    """Pixels N(l_i, s²) with one learned s: log p = −½((x − l)/s)² − log s − ½ log 2π.

    With a linear decoder this is probabilistic PCA (Tipping & Bishop 1999).
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(0.3)))

    def by_pixel(self, x: Tensor, outputs: Tensor) -> Tensor:
        away = (x - outputs) * (-self.log_scale).exp()
        return -0.5 * (away.square() + math.log(2 * math.pi)) - self.log_scale

    def mean(self, outputs: Tensor) -> Tensor:
        return outputs

    def sample(self, outputs: Tensor, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(
            outputs.shape, generator=generator, dtype=outputs.dtype, device=outputs.device
        )
        return outputs + self.log_scale.exp() * noise

    def initial_outputs(self, mean: Tensor) -> Tensor:
        return mean

    def start_from(self, mean: Tensor, left: Tensor) -> Tensor:
        with torch.no_grad():
            self.log_scale.copy_(left.diagonal().mean().log() / 2)
        return self.initial_outputs(mean)

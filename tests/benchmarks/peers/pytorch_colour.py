"""A convolutional VAE of colour images as one writes it by hand: d = 128, Adam, DataLoader."""

import itertools
import time

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from vae_core.model.likelihoods.logistic import log_mass, values_of

_LATENT = 128


class PlainVAE(nn.Module):
    """Three convolutions each way; p(x|z) has a discretised logistic for each value."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(64, 128, 4, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2048, 2 * _LATENT),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(_LATENT, 2048), nn.ReLU(), nn.Unflatten(1, (128, 4, 4)),
            nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(64, 32, 4, 2, 1),
            nn.ReLU(), nn.ConvTranspose2d(32, 3, 4, 2, 1),
        )  # fmt: skip
        self.log_scale = nn.Parameter(torch.full((3, 1, 1), -2.0))

    def log_weights(self, x: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """log p(x|z) and log q(z|x) − log p(z) at n draws, each (n, B)."""
        mean, log_variance = self.encoder(2 * x - 1).chunk(2, -1)
        noise = torch.randn(n, *mean.shape)
        z = mean + noise * (0.5 * log_variance).exp()
        centre = self.decoder(z.flatten(0, 1)).tanh().view(n, *x.shape)
        log_px = log_mass(values_of(x), centre, self.log_scale).flatten(2).sum(-1)
        return log_px, 0.5 * (z.square() - noise.square() - log_variance).sum(-1)


class PlainColour:
    """Its training, stopped by the clock."""

    def __init__(self, images: Tensor) -> None:
        self.model = PlainVAE()
        self._optimiser = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        self._loader = DataLoader(TensorDataset(images), 128, shuffle=True)
        self._batches = itertools.chain.from_iterable(itertools.repeat(self._loader))
        self._seconds = 0.0

    def train(self, seconds: float) -> None:
        self.model.train()
        start = time.perf_counter() - self._seconds
        while time.perf_counter() - start < seconds:
            (pixels,) = next(self._batches)
            log_px, kl = self.model.log_weights(pixels.float() / 255, 1)
            self._optimiser.zero_grad()
            (kl - log_px).mean().backward()
            self._optimiser.step()
        self._seconds = time.perf_counter() - start

    def log_weights(self, x: Tensor, n: int) -> Tensor:
        self.model.eval()
        log_px, kl = self.model.log_weights(x, n)
        return log_px - kl

"""Pythae's VAE of colour images, d = 128: its networks, its loss and its trainer."""

import contextlib
import logging
import os
import tempfile
import time
from typing import Any

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.nn.benchmarks.cifar import Decoder_Conv_AE_CIFAR, Encoder_Conv_VAE_CIFAR
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from pythae.trainers.training_callbacks import TrainingCallback
from torch import Tensor

from vae_core.model.likelihoods.logistic import log_mass, values_of

_FITTED = 500  # training images to which the scales are fitted


class _TimeIsUp(Exception):
    pass


class _Clock(TrainingCallback):
    """Ends training in the middle of an epoch."""

    def __init__(self) -> None:
        self.end = 0.0

    def on_train_step_end(self, training_config: BaseTrainerConfig, **about: Any) -> None:
        if time.perf_counter() >= self.end:
            raise _TimeIsUp


class PythaeColour:
    """Its training, stopped by the clock."""

    def __init__(self, images: Tensor, convolutional: bool) -> None:
        logging.getLogger("pythae").setLevel(logging.ERROR)
        self._images = images
        config = VAEConfig(input_dim=(3, 32, 32), latent_dim=128, reconstruction_loss="mse")
        networks = (Encoder_Conv_VAE_CIFAR(config), Decoder_Conv_AE_CIFAR(config))
        self.model = VAE(config, *(networks if convolutional else ()))
        data = BaseDataset(images.float() / 255, images.new_zeros(len(images)))
        settings = BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(), learning_rate=1e-3, no_cuda=True,
            per_device_train_batch_size=64,
        )  # fmt: skip
        with contextlib.redirect_stderr(open(os.devnull, "w")):  # noqa: PTH123
            self._trainer = BaseTrainer(self.model, train_dataset=data, training_config=settings)
        self._trainer.prepare_training()
        self._clock, self._seconds = _Clock(), 0.0
        self._trainer.callback_handler.callbacks[:] = [self._clock]  # no progress bar
        self._log_scale = torch.zeros(3, 1, 1)

    def train(self, seconds: float) -> None:
        start = time.perf_counter()
        self._clock.end = start + seconds - self._seconds
        with contextlib.suppress(_TimeIsUp):
            while True:
                self._trainer.train_step(1)
        self._seconds += time.perf_counter() - start
        self.model.eval()
        self._fit_scales()

    def log_weights(self, x: Tensor, n: int) -> Tensor:
        found = self.model.encoder(x)
        noise = torch.randn(n, *found.embedding.shape)
        z = found.embedding + noise * (0.5 * found.log_covariance).exp()
        centre = self._decoded(z.flatten(0, 1)).view(n, *x.shape)
        log_px = log_mass(values_of(x), centre, self._log_scale).flatten(2).sum(-1)
        kl = 0.5 * (z.square() - noise.square() - found.log_covariance).sum(-1)
        return log_px - kl

    def _decoded(self, z: Tensor) -> Tensor:
        """Means on the axis −1 to 1."""
        return 2 * self.model.decoder(z).reconstruction - 1

    def _fit_scales(self) -> None:
        """Fit a scale for each channel to training images and one draw of z for each."""
        x = self._images[:_FITTED].float() / 255
        with torch.no_grad():
            found = self.model.encoder(x)
            z = found.embedding
            z = z + torch.randn_like(z) * (0.5 * found.log_covariance).exp()
            centre = self._decoded(z).view(x.shape)
        candidates = torch.linspace(-4.5, 0.0, 91)
        fits = torch.stack([log_mass(values_of(x), centre, s).mean((0, 2, 3)) for s in candidates])
        self._log_scale = candidates[fits.argmax(0)].view(3, 1, 1)

"""The package pythae: a VAE with its default networks, its trainer, its estimate of log p(x)."""

import contextlib
import logging
import os
import tempfile
from collections.abc import Callable

import torch
from pythae.data.datasets import BaseDataset
from pythae.models import VAE, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from pythae.trainers import BaseTrainer, BaseTrainerConfig
from torch import Tensor, nn


def pythae_vae(latent_size: int = 10) -> VAE:
    """Pythae's VAE with its default networks, 784-512-d, and a Bernoulli likelihood."""
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=latent_size, reconstruction_loss="bce")
    return VAE(config)


class PythaeTraining:
    """Pythae's trainer with its default batch size; one call is one epoch."""

    def __init__(self, images: Tensor, batch_size: int = 64) -> None:
        logging.getLogger("pythae").setLevel(logging.ERROR)
        data = BaseDataset(images.float() / 255, images.new_zeros(len(images)))
        config = BaseTrainerConfig(
            output_dir=tempfile.mkdtemp(),
            per_device_train_batch_size=batch_size,
            learning_rate=1e-3,
            no_cuda=True,
        )
        with contextlib.redirect_stderr(open(os.devnull, "w")):  # noqa: PTH123
            self.trainer = BaseTrainer(pythae_vae(), train_dataset=data, training_config=config)
        self.trainer.prepare_training()
        self.trainer.callback_handler.callbacks.clear()  # no progress bar, whose time would count

    def __call__(self) -> float:
        return self.trainer.train_step(1)


def pythae_nll(x: Tensor, samples: int) -> Callable[[], object]:
    """Pythae's estimate of log p(x), with networks of our sizes, 784-200-200-50 and back."""
    model = pythae_vae(50)
    model.encoder, model.decoder = _Encoder(), _Decoder()
    model.eval()

    def run() -> object:
        with torch.no_grad():
            return model.get_nll(x, n_samples=samples, batch_size=100)

    return run


class _Encoder(BaseEncoder):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Flatten(), nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU()
        )
        self.mean, self.log_variance = nn.Linear(200, 50), nn.Linear(200, 50)

    def forward(self, x: Tensor) -> ModelOutput:
        h = self.body(x)
        return ModelOutput(embedding=self.mean(h), log_covariance=self.log_variance(h))


class _Decoder(BaseDecoder):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(50, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(),
            nn.Linear(200, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)),
        )  # fmt: skip

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.body(z))

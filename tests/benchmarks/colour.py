"""Bits per dimension of colour photographs after some minutes of training, ours and others.

Every program trains for the same time on the training images of a data set of one's own, with
d = 128, and is measured by importance sampling with draws from its encoder's q, on the same test
images. Only training counts, not the measurements in between.

- ours: the network and the settings of the pretrained model, with as many epochs as fit.
- pythae: its VAE with the networks that it has for CIFAR, or with its default ones. It is trained
  by squared errors, so it has no p(x) of 8-bit values: it is given discretised logistics around its
  means, with a scale for each channel that is fitted to training images.
- PyTorch: a convolutional VAE as one writes it by hand, with the same likelihood from the start.
"""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from tests.benchmarks.machine import describe
from tests.benchmarks.peers.pythae_colour import PythaeColour
from tests.benchmarks.peers.pytorch_colour import PlainColour
from vae_core.data.datasets import Dataset, load_dataset
from vae_core.model.vae import VAE
from vae_core.settings.config import RunConfig
from vae_core.training.precision import denormals_flushed
from vae_core.training.trainer import Finished, Step, Training

RECIPE = {
    "network": "corrected-linear", "posterior": "mean-field", "latent_size": 128, "channels": 8,
    "likelihood": "discretised-logistic-mixture", "mixture_components": 2, "augment": "flip",
    "batch_size": 64, "kl_warmup_epochs": 0, "gradient_clip": 200.0, "importance_every": 0,
}  # fmt: skip
POINTS = 5  # of a curve
CURVE_IMAGES, CURVE_SAMPLES, SAMPLES = 200, 10, 100
_LATENTS = 2000  # decoded at once
_TIMED, _WARM_UP = 40, 10  # steps that are timed to plan the epochs


class Program(Protocol):
    """A program that trains a VAE."""

    def train(self, seconds: float) -> None:
        """Train until that many seconds of training have been spent, all calls together."""

    def log_weights(self, x: Tensor, n: int) -> Tensor:
        """log p(x|z) + log p(z) − log q(z|x) of 8-bit images at n draws of q: (n, B)."""
        ...


class Ours:
    """Our training with the recipe of the pretrained model."""

    def __init__(self, data: Dataset, seconds: float) -> None:
        self._data = data
        epoch = self._seconds_per_epoch()
        epochs = max(1, int(seconds / epoch))
        print(f"    {epoch:.0f} s for an epoch: {epochs} epochs", flush=True)
        self._training = self._new(epochs)
        self._events = self._training.events()

    def _new(self, epochs: int) -> Training:
        settings = {"dataset": self._data.name, "epochs": epochs, **RECIPE}
        return Training(RunConfig.from_settings(settings), self._data)

    def _seconds_per_epoch(self) -> float:
        training = self._new(1)
        marks: list[float] = []
        for event in training.events():
            marks.append(training.progress.seconds)
            if isinstance(event, Step) and event.step == _TIMED:
                break
        return (marks[-1] - marks[_WARM_UP - 1]) / (_TIMED - _WARM_UP) * training.steps

    def train(self, seconds: float) -> None:
        while self._training.progress.seconds < seconds:
            if isinstance(next(self._events, None), Finished | None):
                return

    def log_weights(self, x: Tensor, n: int) -> Tensor:
        model: VAE = self._training.model
        model.eval()
        found = model.log_weights(x, n)
        model.train()
        return found


PROGRAMS: dict[str, Callable[[Dataset, float], Program]] = {
    "ours": Ours,
    "pythae": lambda data, _: PythaeColour(data.split("train")[0], convolutional=True),
    "pythae-default": lambda data, _: PythaeColour(data.split("train")[0], convolutional=False),
    "pytorch": lambda data, _: PlainColour(data.split("train")[0]),
}


def main(arguments: Sequence[str] = ()) -> None:
    given = _parser().parse_args(arguments)
    print(describe())
    data = load_dataset(given.dataset)
    test = data.split("test")[0][: given.images].float() / 255
    for name in given.programs:
        print(f"  {name}", flush=True)
        torch.manual_seed(0)
        program = PROGRAMS[name](data, 60 * given.minutes)
        for point in range(1, POINTS + 1):
            minutes = given.minutes * point / POINTS
            start = time.perf_counter()
            with denormals_flushed():  # as our training does by itself
                program.train(60 * minutes)
            value, error = bits_per_dim(program, test[:CURVE_IMAGES], CURVE_SAMPLES)
            print(
                f"    {minutes:5.1f} min: {value:.3f} ± {error:.3f} bits/dim, K = {CURVE_SAMPLES}, "
                f"{min(CURVE_IMAGES, len(test))} images "
                f"({time.perf_counter() - start:.0f} s with the measurement)",
                flush=True,
            )
        value, error = bits_per_dim(program, test, SAMPLES)
        print(
            f"    test: {value:.3f} ± {error:.3f} bits/dim, K = {SAMPLES}, {len(test)} images",
            flush=True,
        )


@torch.no_grad()
def bits_per_dim(program: Program, x: Tensor, samples: int) -> tuple[float, float]:
    """Mean −log₂ p̂(x) per number of an image, and its standard error over the images."""
    found = []
    with torch.random.fork_rng():  # the training goes on with other numbers
        torch.manual_seed(1)
        for block in x.split(max(1, _LATENTS // samples)):
            log_w = program.log_weights(block, samples)
            found.append(log_w.logsumexp(0) - math.log(samples))
    bits = -torch.cat(found).double() / (x[0].numel() * math.log(2))
    return float(bits.mean()), float(bits.std()) / len(bits) ** 0.5


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks colour",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--dataset", default="cifar10", help="a data set that was added")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=list(PROGRAMS))
    return parser

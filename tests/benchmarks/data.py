"""Images and trainings that the benchmarks share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vae_core.data.datasets import Dataset
from vae_core.settings.config import RunConfig
from vae_core.training.trainer import Step, Training


def images(count: int) -> Tensor:
    """Random images in MNIST's shape: the measured times do not depend on what they show."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=generator)


def as_dataset(pixels: Tensor) -> Dataset:
    """Make a data set that uses all images for training."""
    count = len(pixels)
    splits = {"train": slice(0, count), "validation": slice(0, 1), "test": slice(0, 1)}
    return Dataset("mnist", pixels, torch.zeros(count, dtype=torch.int64), splits)  # type: ignore[arg-type]


def epoch_of(pixels: Tensor, **settings: Any) -> Callable[[], None]:
    """Our training with these settings. One call makes the steps of one epoch, no validation."""
    config = RunConfig.from_settings({"dataset": "mnist", "epochs": 100_000, **settings})
    training = Training(config, as_dataset(pixels))

    def run() -> None:
        events = training.events()
        while True:
            event = next(events)
            if isinstance(event, Step) and event.step == event.steps:
                break
        training.progress.step = 0  # the same epoch again, without its validation

    return run

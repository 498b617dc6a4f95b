"""What a richer posterior costs in training: 50 steps at d = 50, T = 4, batch 128, 28×28 pixels."""

from collections.abc import Callable
from typing import get_args

import torch

from tests.benchmarks.side_by_side import medians, report
from vae_core.config import PosteriorName, RunConfig
from vae_core.datasets import Dataset
from vae_core.training import Step, Training

STEPS = 50


def synthetic_mnist() -> Dataset:
    """Random images in MNIST's shape: what is measured does not depend on what they show."""
    count = 2000
    images = torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8)
    splits = {"train": slice(0, count), "validation": slice(0, 1), "test": slice(0, 1)}
    return Dataset("mnist", images, torch.zeros(count, dtype=torch.int64), splits)  # type: ignore[arg-type]


def steps_of(family: PosteriorName, data: Dataset) -> Callable[[], None]:
    settings = {"dataset": "mnist", "posterior": family, "latent_size": 50, "epochs": 10_000}
    training = Training(RunConfig.from_settings(settings), data)

    def run() -> None:
        events = training.events()
        done = 0
        while done < STEPS:
            done += isinstance(next(events), Step)
        training.progress.step = 0

    return run


def main() -> None:
    data = synthetic_mnist()
    # an epoch has 16 steps, so a few epoch ends are timed with them, for every family alike
    work = {family: steps_of(family, data) for family in get_args(PosteriorName)}
    report(f"{STEPS} training steps, by posterior family", medians(work), "mean-field")

"""What the benchmarks of verdicts share: a model, its calibration, and images that are measured."""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from vae_core.basics.blocks import join
from vae_core.basics.progress import Step
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import binarise
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.runs.records import calibration_of
from vae_core.runs.run import Run
from vae_core.scoring.calibration import (
    IMPORTANCE_SAMPLES,
    Calibration,
    Measured,
    calibration_steps,
)

T = TypeVar("T")

RATES = (0.01, 0.04, 0.10)
"""The false-alarm rates that are measured."""
_AT_ONCE = 20  # images
_SPOKEN_EVERY = 30.0  # seconds


@dataclass(frozen=True)
class Measurement:
    """Figures of images, as a verdict compares them.

    Attributes:
        images: their figures, and the strata that they are in.
        seconds: time for an image.
    """

    images: Measured
    seconds: float


def arguments(about: str | None, images: int) -> argparse.ArgumentParser:
    """Make a parser with the options of all benchmarks of verdicts.

    Args:
        images: the usual number of images.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("model", type=Path, help="a run, or pretrained/NAME")
    parser.add_argument("--images", type=int, default=images, help=f"images; usually {images:,}")
    parser.add_argument(
        "--calibration", type=int, default=1000, help="held-out images; usually 1,000"
    )
    parser.add_argument(
        "--importance-samples", type=int, default=IMPORTANCE_SAMPLES,
        help=f"K of every image; usually {IMPORTANCE_SAMPLES}",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def opened(name: Path) -> tuple[Run, VAE]:
    """Open a run and load its model."""
    run = Run.open(name)
    return run, load_model(run.folder)


def of_class(data: Dataset, label: int) -> Dataset:
    """Return the images of one class, in the parts that they are in."""
    kept, splits, start = [], {}, 0
    for split in data.splits:
        images, labels = data.split(split)
        found = images[labels == label]
        kept.append(found)
        splits[split] = slice(start, start + len(found))
        start += len(found)
    labels = torch.full((start,), label, dtype=torch.int64)
    return replace(data, images=torch.cat(kept), labels=labels, splits=splits)


def stored_calibration(run: Run, images: int, samples: int) -> Calibration | None:
    """Read the calibration of a run, if it has enough images and this K."""
    found = calibration_of(run)
    if found is None or found.images < images or found.importance_samples != samples:
        return None
    return found


def calibrated(
    run: Run, model: VAE, data: Dataset, images: int, samples: int, seed: int
) -> Calibration:
    """Calibrate a model with validation images; nothing is saved."""
    steps = calibration_steps(
        model, data, run.config.train.binarisation, images, seed, importance_samples=samples
    )
    return finished("calibrating", steps)


def chosen(images: Tensor, labels: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Choose images by chance, at most ``count``."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:count]
    return images[order], labels[order]


def measured(
    what: str, calibration: Calibration, model: VAE, images: Tensor, seed: int
) -> Measurement:
    """Measure images, uint8 (N, C, H, W), like the held-out images of a calibration.

    Args:
        what: the images in a word, for the progress.
        seed: of the binarisation.
    """
    x = binarise(images, calibration.binarisation, torch.Generator().manual_seed(seed))

    def steps() -> Iterator[Step[Measured]]:
        parts, done = [], 0
        for block in x.split(_AT_ONCE):
            parts.append(calibration.measure(model, block))
            done += len(block)
            yield Step(done / len(x))
        yield Step(1.0, join(parts))

    start = time.perf_counter()
    found = finished(what, steps())
    return Measurement(found, (time.perf_counter() - start) / len(x))


def finished(what: str, steps: Iterator[Step[T]]) -> T:
    """Finish a computation; say its progress and its time on standard error."""
    start = spoken = time.perf_counter()
    result = None
    for step in steps:
        result, now = step.result, time.perf_counter()
        if now - spoken > _SPOKEN_EVERY and step.share > 0:
            left = (now - start) * (1 - step.share) / step.share
            print(f"{what}: {step.share:.0%}, {left / 60:.0f} min to go", file=sys.stderr)
            spoken = now
    assert result is not None
    print(f"{what}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return result

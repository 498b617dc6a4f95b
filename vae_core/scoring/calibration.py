"""Reference measurements of held-out images. New images are compared with them.

Computed once per model: the figures of validation images, and the latents of training images.
:mod:`vae_core.runs.records` saves them in the run folder.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vae_core.analysis.classification import ClassProbabilities, LatentClassifier
from vae_core.analysis.neighbours import TrainingLatents
from vae_core.basics.blocks import join
from vae_core.basics.progress import Step
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.proposals import COMPARABLE
from vae_core.model.vae import VAE
from vae_core.scoring.context import CLASS_SAMPLES, ImageContext
from vae_core.scoring.figures.regret import SCHEDULE
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.place import Place
from vae_core.scoring.typicality import Reference
from vae_core.settings.choices import Binarisation
from vae_core.settings.data_sets import Split

IMAGES = 500
FEWEST_IMAGES = 100
"""Smallest number of images for a calibration to be saved (or all, if the data set has fewer)."""
IMPORTANCE_SAMPLES = 200
_SPLIT: Split = "validation"
TRAINING_IMAGES = 10_000
_AT_ONCE = 20
_LATENTS_SHARE = 0.1  # approximate share of the work
CALIBRATION_VERSION = 2  # version of the file format
CALIBRATION_FORMAT = {
    "format": CALIBRATION_VERSION,
    "proposal": "refined",
    "refined_by": COMPARABLE,
    "regret": dataclasses.asdict(SCHEDULE),
}
"""Entries of a file's protocol that are required for comparisons with scores of this version."""


@dataclass(frozen=True)
class Measured:
    """The figures of B images, to be compared with the figures of other images.

    Attributes:
        table: one column per figure, in the order of
            :data:`~vae_core.scoring.figures.table.FIGURES`, (B, F), float64.
        whitened: the posterior means in standard deviations of the aggregate posterior, (B, d),
            float32.
    """

    table: Tensor
    whitened: Tensor

    def figure(self, name: str) -> Tensor:
        """Return the values of one figure, (B,)."""
        return self.table[:, list(FIGURES).index(name)]

    @property
    def log_px(self) -> Tensor:
        """log p̂(x) in nats, (B,)."""
        return self.figure("log_px")


def measure(images: ImageContext) -> Measured:
    """Measure every figure of a batch of images."""
    return Measured(table(images), images.whitened)


def table(images: ImageContext) -> Tensor:
    """Measure every figure of a batch of images, one column each, (B, F), float64."""
    return torch.stack([figure.measure(images) for figure in FIGURES.values()], 1).double()


@dataclass(frozen=True)
class Calibration:
    """Held-out figures of a model, and the latents of its training images.

    Attributes:
        held_out: figures of N held-out images.
        latents: latents of training images, to find the nearest neighbours.
        classifier: p(y|x) from the latent.
        protocol: data set, split, images, binarisation, importance_samples, seed, model (a digest
            of the weights), the settings of the regret, and the accuracy of a class head.
    """

    held_out: Measured
    latents: TrainingLatents
    classifier: LatentClassifier
    protocol: Mapping[str, Any]

    @property
    def importance_samples(self) -> int:
        """K of the held-out log p̂(x)."""
        return self.protocol["importance_samples"]

    @property
    def seed(self) -> int:
        """Seed of all random numbers."""
        return self.protocol["seed"]

    @property
    def binarisation(self) -> Binarisation:
        """Binarisation of the held-out images."""
        return self.protocol["binarisation"]

    @property
    def images(self) -> int:
        """N, the number of held-out images."""
        return len(self.held_out.table)

    @property
    def reference(self) -> Reference:
        """The held-out figures, which images are judged against."""
        return Reference(self.held_out.table)

    def context(self, model: VAE, x: Tensor) -> ImageContext:
        """Make the context in which images x (B, C, H, W) are measured like the held-out images."""
        return ImageContext(model, x, self.importance_samples, self.seed, self.latents)

    def measure(self, model: VAE, x: Tensor) -> Measured:
        """Measure images x (B, C, H, W) in the same way as the held-out images."""
        return measure(self.context(model, x))

    def comparable(self, images: ImageContext) -> ImageContext:
        """Return the same images, with log p̂(x) by the K and seed of the held-out images."""
        return images.estimated_by(self.importance_samples, self.seed)

    def place(self, log_px: float) -> Place:
        """Find the place of a log p̂(x), with the same K and seed, among the held-out ones."""
        return Place.among(self.held_out.log_px, log_px)

    @property
    def has_classes(self) -> bool:
        """Whether any training image has a class."""
        return bool((self.latents.labels >= 0).any())

    def classes(self, images: ImageContext) -> Sequence[ClassProbabilities | None]:
        """Compute p(y|x) of each image: by the model's class head, if it has one.

        Each is None if no training image has a class.
        """
        if not self.has_classes:
            return [None] * len(images.x)
        accuracy = self.protocol.get("class_head_accuracy")
        if accuracy is None:
            return self.classifier(images.whitened)
        rows = zip(*(each.tolist() for each in images.class_probabilities), strict=True)
        return [ClassProbabilities(chances, accuracy, errors) for chances, errors in rows]


def calibration_steps(
    model: VAE,
    data: Dataset,
    binarisation: Binarisation,
    images: int = IMAGES,
    seed: int = 0,
    training_images: int = TRAINING_IMAGES,
    importance_samples: int = IMPORTANCE_SAMPLES,
) -> Iterator[Step[Calibration]]:
    """Measure held-out images in small steps, as a reference for the scores of a model.

    The caller can do other work between two steps, or stop early. A 2×200 MLP with d = 50 takes
    5 to 15 s on a CPU core, a residual convolutional net one or two minutes.

    Args:
        data: the data set that the model was trained on.
        binarisation: as in training.
        images: largest number of validation images to use.
        training_images: largest number of training images whose latents are kept, for distances.
        importance_samples: K of log p̂(x).

    Yields:
        The share of the work that is done; the last step has the calibration, which
        :func:`vae_core.runs.records.write_calibration` saves.
    """
    seen, labels = evaluation_images(data, "train", binarisation, seed, training_images)
    latents = TrainingLatents.of(model, seen, labels, seed)
    yield Step(_LATENTS_SHARE)
    x, held_out_labels = evaluation_images(data, _SPLIT, binarisation, seed, images)
    parts: list[Measured] = []
    classes: list[Tensor] = []
    for start in range(0, len(x), _AT_ONCE):
        block = ImageContext(model, x[start : start + _AT_ONCE], importance_samples, seed, latents)
        parts.append(measure(block))
        if model.class_head is not None:
            classes.append(block.class_probabilities[0].argmax(1))
        done = (start + len(block.x)) / len(x)
        yield Step(_LATENTS_SHARE + (1 - _LATENTS_SHARE) * done)
    held_out = join(parts)
    classifier = LatentClassifier.fitted(
        latents.points, latents.labels, held_out.whitened, held_out_labels, model.config.classes
    )
    protocol = _protocol(data, binarisation, seed, len(x), len(seen))
    protocol["importance_samples"] = importance_samples
    if classes:
        right = (torch.cat(classes) == held_out_labels.cpu()).double().mean()
        protocol |= {"class_head_accuracy": float(right), "class_samples": CLASS_SAMPLES}
    yield Step(1.0, Calibration(held_out, latents, classifier, protocol))


def _protocol(
    data: Dataset, binarisation: Binarisation, seed: int, images: int, training_images: int
) -> dict[str, Any]:
    return {
        "dataset": data.name,
        "split": _SPLIT,
        "images": images,
        "binarisation": binarisation,
        "seed": seed,
        "training_images": training_images,
        **CALIBRATION_FORMAT,
    }

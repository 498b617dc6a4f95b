"""Reference measurements of held-out images. New images are compared with them.

Computed once per model: the figures of validation images, and the latents of training images.
:mod:`vae_core.runs.records` saves them in the run folder.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_core.analysis.classification import ClassProbabilities, LatentClassifier
from vae_core.analysis.neighbours import TrainingLatents
from vae_core.basics.blocks import join
from vae_core.basics.errors import InvalidArgument
from vae_core.basics.progress import Step, part_result
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.proposals import COMPARABLE
from vae_core.model.vae import VAE
from vae_core.scoring.context import CLASS_SAMPLES, ImageContext
from vae_core.scoring.figures.regret import SCHEDULE
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.place import Place
from vae_core.scoring.strata import FEWEST_OF_A_STRATUM, Strata
from vae_core.scoring.typicality import Judgement, Reference
from vae_core.settings.choices import Binarisation
from vae_core.settings.data_sets import Split
from vae_core.settings.options import FALSE_ALARMS
from vae_core.settings.protocol import EPOCH_IMAGES

IMAGES = 500
FEWEST_IMAGES = 100
"""Smallest number of images for a calibration to be saved (or all, if the data set has fewer)."""
IMPORTANCE_SAMPLES = 200
_SPLIT: Split = "validation"
TRAINING_IMAGES = 10_000
BY_HEAD = "class head"
"""Entry of a protocol: the class head tells the stratum of an image."""
CLASSES_ARE_STRATA = 0.8
"""Classes are strata if the latent gives so large a share of the training images their class. With
less, as with most models of d = 2, images in the wrong stratum hide foreign ones."""
HELD_OUT_OF_A_STRATUM = 50
"""Held-out images for each stratum, on average; with fewer, no verdict is fair to each class."""
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
        strata: the stratum of each image (:mod:`vae_core.scoring.strata`), (B,), int64.
    """

    table: Tensor
    strata: Tensor

    def figure(self, name: str) -> Tensor:
        """Return the values of one figure, (B,)."""
        return self.table[:, list(FIGURES).index(name)]

    @property
    def log_px(self) -> Tensor:
        """log p̂(x) in nats, (B,)."""
        return self.figure("log_px")


def table(images: ImageContext) -> Tensor:
    """Measure every figure of a batch of images, one column each, (B, F), float64.

    The values are rounded as in the file of a calibration, so that equal images stay equal.
    """
    return rounded(torch.stack([figure.measure(images) for figure in FIGURES.values()], 1))


def rounded(figures: Tensor) -> Tensor:
    """Round figures to float32; the result is float64."""
    return figures.float().double()


@dataclass(frozen=True)
class Calibration:
    """Held-out figures of a model, and the latents of its training images.

    Attributes:
        held_out: figures of N held-out images.
        latents: latents of training images, to find the nearest neighbours.
        classifier: p(y|x) from the latent.
        protocol: data set, split, images, binarisation, importance_samples, seed, model (a digest
            of the weights), the settings of the regret, whether the images chose no epoch, the
            number of strata, of their training images, and whether the class head or the latents
            tell the stratum, and the accuracy of a class head.
        strata: what the figures are measured from before they are compared. If None, the figures
            themselves are compared: the latents do not tell classes apart, or an earlier version
            made the calibration.
    """

    held_out: Measured
    latents: TrainingLatents
    classifier: LatentClassifier
    protocol: Mapping[str, Any]
    strata: Strata | None = None

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

    @cached_property
    def reference(self) -> Reference:
        """What images are judged against: the held-out figures, each compared in its stratum."""
        return Reference(self.compared(self.held_out), self.held_out.table)

    def compared(self, images: Measured) -> Tensor:
        """Return what is compared of the figures of B images, (B, F)."""
        if self.strata is None:
            return images.table
        return self.strata.compare(images.table, images.strata)

    def p_values(self, images: Measured) -> Tensor:
        """Compute the p-value of each of B images, (B,), float64."""
        return self.reference.p_values(self.compared(images))

    def judge(self, images: Measured, false_alarms: float = FALSE_ALARMS) -> list[Judgement]:
        """Judge B images by their figures; see :class:`~vae_core.scoring.typicality.Judgement`."""
        return self.reference.judge(self.compared(images), false_alarms, images.table)

    def context(self, model: VAE, x: Tensor) -> ImageContext:
        """Make the context in which images x (B, C, H, W) are measured like the held-out images."""
        return ImageContext(model, x, self.importance_samples, self.seed, self.latents)

    def measure(self, model: VAE, x: Tensor) -> Measured:
        """Measure images x (B, C, H, W) in the same way as the held-out images."""
        return self.measured(self.context(model, x))

    def measured(self, images: ImageContext) -> Measured:
        """Measure every figure of a batch of images, and find its strata."""
        return Measured(table(images), self.strata_of(images))

    def strata_of(self, images: ImageContext) -> Tensor:
        """Find the stratum of each image, (B,); 0 without strata."""
        if self.strata is None:
            return torch.zeros(len(images.x), dtype=torch.int64)
        head = images.model if self.protocol.get("strata_by") == BY_HEAD else None
        return _classes(images.whitened, self.latents, self.classifier, head)

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
    10 to 30 s on a CPU core, a residual convolutional net two to four minutes.

    Args:
        data: the data set that the model was trained on.
        binarisation: as in training.
        images: largest number of validation images to use; see :func:`held_out_images`.
        training_images: largest number of training images whose latents are kept, for distances.
        importance_samples: K of log p̂(x).

    Yields:
        The share of the work that is done; the last step has the calibration, which
        :func:`vae_core.runs.records.write_calibration` saves.
    """
    seen, labels = evaluation_images(data, "train", binarisation, seed, training_images)
    latents = TrainingLatents.of(model, seen, labels, seed)
    yield Step(_LATENTS_SHARE)
    x, held_out_labels, are_apart = held_out_images(data, binarisation, seed, images)
    like = _some(len(seen), _training_images(len(x)), seed)
    middle = _LATENTS_SHARE + (1 - _LATENTS_SHARE) * len(x) / (len(x) + len(like))

    def measured(images: Tensor, places: Tensor | None = None) -> Iterator[Step[_Figures]]:
        return _measure_steps(model, images, importance_samples, seed, latents, places)

    found = yield from part_result(measured(x), _LATENTS_SHARE, middle)
    classifier = LatentClassifier.fitted(
        latents.points, latents.labels, found.whitened, held_out_labels, model.config.classes
    )
    head = None if model.class_head is None else model
    known, count = _classes(latents.points, latents, classifier, head), len(classifier.bias)
    protocol = _protocol(data, binarisation, seed, len(x), len(seen))
    protocol |= {
        "importance_samples": importance_samples,
        "chose_no_epoch": are_apart,
        "strata": 1,
        "training_images_of_strata": 0,
    }
    strata, of_held_out = None, torch.zeros(len(x), dtype=torch.int64)
    if _tells_classes(known, latents.labels) and _are_enough(known[like], count, len(x)):
        usual = yield from part_result(measured(seen[like], like), middle, 1.0)
        of_usual = _classes(usual.whitened, latents, classifier, head)
        strata = Strata.fitted(usual.table, of_usual, count)
        of_held_out = _classes(found.whitened, latents, classifier, head)
        protocol |= {"strata": count, "training_images_of_strata": len(like)}
        protocol |= {"strata_by": BY_HEAD if head else "latents"}
    if found.classes is not None:
        right = (found.classes.cpu() == held_out_labels).double().mean()
        protocol |= {"class_head_accuracy": float(right), "class_samples": CLASS_SAMPLES}
    held_out = Measured(found.table, of_held_out)
    yield Step(1.0, Calibration(held_out, latents, classifier, protocol, strata))


def held_out_images(
    data: Dataset, binarisation: Binarisation, seed: int, images: int
) -> tuple[Tensor, Tensor, bool]:
    """Draw the validation images of a calibration.

    Those that chose the epoch to keep are left out, if enough others exist: the model was chosen to
    be good on them. The others are drawn by chance, because the images of a data set may lie in an
    order.

    Args:
        seed: of the draw, and of the binarisation.
        images: largest number of images.

    Returns:
        Images (N, C, H, W) in [0, 1], labels (N,) on the CPU, and whether none chose the epoch.

    Raises:
        InvalidArgument: for less than one image.
    """
    if images < 1:
        raise InvalidArgument(f"The limit must be at least one image, not {images}.")
    x, labels = evaluation_images(data, _SPLIT, binarisation, seed)
    are_apart = len(x) - EPOCH_IMAGES >= IMAGES
    first = EPOCH_IMAGES if are_apart else 0
    chosen = first + _some(len(x) - first, images, seed)
    return x[chosen], labels[chosen].cpu(), are_apart


def _some(total: int, count: int, seed: int) -> Tensor:
    """Draw ``count`` of ``total`` places, or all if they are fewer, in ascending order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(total, generator=generator)[:count].sort().values


def _training_images(held_out: int) -> int:
    """Return how many training images to measure for the strata, if there are so many."""
    return held_out if held_out < FEWEST_IMAGES else max(IMAGES, held_out // 2)


class _Figures(NamedTuple):
    """Figures of B images, (B, F), their whitened posterior means, (B, d), and their classes by the
    model's head, (B,), if it has one."""

    table: Tensor
    whitened: Tensor
    classes: Tensor | None


def _measure_steps(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    seed: int,
    latents: TrainingLatents,
    places: Tensor | None,
) -> Iterator[Step[_Figures]]:
    """Measure every figure of images x (B, C, H, W), block by block.

    Args:
        places: of the images among the training latents, if they are among them. Those of a block
            are taken out for it, so that no image is its own neighbour.
    """
    parts: list[_Figures] = []
    for start in range(0, len(x), _AT_ONCE):
        block = slice(start, start + _AT_ONCE)
        others = latents if places is None else latents.without(places[block])
        images = ImageContext(model, x[block], importance_samples, seed, others)
        with_head = model.class_head is not None and places is None
        classes = images.class_probabilities[0].argmax(1) if with_head else None
        parts.append(_Figures(table(images), images.whitened, classes))
        yield Step(min(1.0, (start + _AT_ONCE) / len(x)))
    yield Step(1.0, _Figures(*(join(column) for column in zip(*parts, strict=True))))


@torch.no_grad()
def _classes(
    whitened: Tensor, latents: TrainingLatents, classifier: LatentClassifier, model: VAE | None
) -> Tensor:
    """Find the most probable class of images with these whitened posterior means, (B,), int64.

    Args:
        model: a model whose class head says it; without one, the logistic regression does.
    """
    if model is None:
        return classifier.best(whitened)
    means = latents.unwhiten(whitened).to(model.device)
    return model.log_class_probabilities(means).argmax(1).cpu()


def _tells_classes(found: Tensor, labels: Tensor) -> bool:
    """Whether the latents of training images tell their classes (N,) apart.

    Args:
        found: the classes by the latents, (N,).
    """
    known = labels >= 0
    if len(labels[known].unique()) < 2:
        return False
    return bool((found == labels)[known].double().mean() >= CLASSES_ARE_STRATA)


def _are_enough(classes: Tensor, count: int, held_out: int) -> bool:
    """Whether the held-out images are enough for ``count`` strata, and training images of these
    classes are enough for at least half of them."""
    if held_out < HELD_OUT_OF_A_STRATUM * count:
        return False
    sizes = classes.bincount(minlength=count)
    return bool((sizes >= FEWEST_OF_A_STRATUM).double().mean() >= 0.5)


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

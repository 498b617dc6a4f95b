"""What a finished model's scores are held against, computed once.

Figures of held-out validation images, and the latents of training images. What keeps it beside a
run is :mod:`vae_core.runs.records`.
"""

import dataclasses
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vae_core.analysis.classification import ClassProbabilities, LatentClassifier, class_posterior
from vae_core.analysis.neighbours import TrainingLatents
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.proposals import SETTINGS, refined_log_density
from vae_core.model.vae import VAE
from vae_core.scoring.figures.complexity import code_length
from vae_core.scoring.figures.regret import SCHEDULE, likelihood_regret
from vae_core.scoring.score import HeldOut, complexity_corrected
from vae_core.scoring.typicality import Reference
from vae_core.settings.choices import Binarisation
from vae_core.settings.data_sets import Split

IMAGES = 500
FEWEST_IMAGES = 100
"""What a calibration that is kept is made of at least, where the data set has so many."""
IMPORTANCE_SAMPLES = 200
_SPLIT: Split = "validation"
_TRAINING_IMAGES = 10_000
_AT_ONCE = 20
_LATENTS_SHARE = 0.1  # of the work, about
CLASS_SAMPLES = 500
"""K of a class head's p(y|x)."""
CALIBRATION_VERSION = 2  # of what the file holds
CALIBRATION_FORMAT = {
    "format": CALIBRATION_VERSION,
    "proposal": "refined",
    "refined_by": SETTINGS,
    "regret": dataclasses.asdict(SCHEDULE),
}
"""What a file must say to compare with scores by this version of the program."""


@dataclass(frozen=True)
class Measured:
    """The figures of B images that are compared; every attribute but the last is (B,), float64.

    Attributes:
        log_px: log p̂(x) in nats.
        code_bits: length of a lossless code in bits.
        regret: likelihood regret in nats.
        distance: to the nearest training latent, in standard deviations of the aggregate posterior.
        whitened: the posterior means in those units, (B, d), float32.
    """

    log_px: Tensor
    code_bits: Tensor
    regret: Tensor
    distance: Tensor
    whitened: Tensor

    @property
    def table(self) -> Tensor:
        """The figures in the order of :data:`vae_core.scoring.typicality.FIGURES`, (B, 4)."""
        return table(self.log_px, self.code_bits, self.regret, self.distance)


def table(log_px: Tensor, code_bits: Tensor, regret: Tensor, distance: Tensor) -> Tensor:
    """Four columns (B,) in the order of :data:`~vae_core.scoring.typicality.FIGURES`,
    (B, 4), float64."""
    corrected = complexity_corrected(log_px, code_bits)
    return torch.stack([log_px, corrected, regret, distance], 1).double()


def measure(
    model: VAE, x: Tensor, latents: TrainingLatents, importance_samples: int, seed: int
) -> Measured:
    """The figures of images x (B, C, H, W), as the model sees them."""
    log_px = refined_log_density(model, x.to(model.device), importance_samples, seed).log_px
    regret = likelihood_regret(model, x, seed).amortisation
    whitened = latents.whitened(model, x, seed)
    distance = latents.distance(whitened)
    return Measured(log_px, code_length(x), regret, distance, whitened)


@dataclass(frozen=True)
class Calibration:
    """Held-out figures of a model, and the latents of its training images.

    Attributes:
        held_out: figures of N held-out images.
        latents: of training images, to find the nearest.
        classifier: p(y|x) from the latent.
        protocol: data set, split, images, binarisation, importance_samples, seed, model (a digest
            of its weights), how the regret was found, and the accuracy of a class head.
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
        """Of every draw."""
        return self.protocol["seed"]

    @property
    def scores(self) -> HeldOut:
        """The held-out log p̂(x), for a percentile."""
        return HeldOut(self.held_out.log_px, dict(self.protocol))

    @property
    def reference(self) -> Reference:
        """What images are judged by."""
        return Reference(self.held_out.table)

    def binarised_by(self, protocol: Binarisation) -> bool:
        """Whether images under that binarisation may be judged by it."""
        return self.protocol["binarisation"] == protocol

    def measure(self, model: VAE, x: Tensor) -> Measured:
        """The figures of images x (B, C, H, W), as the held-out images' were found."""
        return measure(model, x, self.latents, self.importance_samples, self.seed)

    def classes(self, model: VAE, x: Tensor, whitened: Tensor) -> list[ClassProbabilities]:
        """p(y|x) of images x (B, C, H, W) with such latents (B, d): the model's own, if it has one.

        It takes as many draws of an image as the accuracy was found with.
        """
        accuracy = self.protocol.get("class_head_accuracy")
        if accuracy is None:
            return self.classifier(whitened)
        found = class_posterior(model, x, CLASS_SAMPLES, self.seed)
        rows = zip(*(each.tolist() for each in found), strict=True)
        return [ClassProbabilities(chances, accuracy, errors) for chances, errors in rows]


def calibration_steps(
    model: VAE,
    data: Dataset,
    binarisation: Binarisation,
    images: int = IMAGES,
    seed: int = 0,
) -> Generator[float, None, Calibration]:
    """Measure what the scores of a model are compared with; whoever drives it can do other things
    meanwhile, or never come back.

    A 2×200 MLP with d = 50 takes 5 to 15 s on a CPU
    core, a residual convolutional net one or two minutes.

    Args:
        data: the data set that the model was trained on.
        binarisation: as in training.
        images: how many validation images, at most.

    Yields:
        The share that is done, 0 to 1.

    Returns:
        The calibration; :func:`vae_core.runs.records.write_calibration` keeps it.
    """
    seen, labels = evaluation_images(data, "train", binarisation, seed, _TRAINING_IMAGES)
    latents = TrainingLatents.of(model, seen, labels, seed)
    yield _LATENTS_SHARE
    x, held_out_labels = evaluation_images(data, _SPLIT, binarisation, seed, images)
    parts: list[Measured] = []
    for start in range(0, len(x), _AT_ONCE):
        block = x[start : start + _AT_ONCE]
        parts.append(measure(model, block, latents, IMPORTANCE_SAMPLES, seed))
        done = (start + len(block)) / len(x)
        yield _LATENTS_SHARE + (1 - _LATENTS_SHARE) * done
    held_out = _joined(parts)
    classifier = LatentClassifier.fitted(
        latents.points, latents.labels, held_out.whitened, held_out_labels
    )
    protocol = {
        "dataset": data.name,
        "split": _SPLIT,
        "images": len(x),
        "binarisation": binarisation,
        "importance_samples": IMPORTANCE_SAMPLES,
        "seed": seed,
        "training_images": len(seen),
        **CALIBRATION_FORMAT,
    }
    if model.class_head is not None:
        said = class_posterior(model, x, CLASS_SAMPLES, seed)[0].argmax(1)
        right = (said == held_out_labels.cpu()).double().mean()
        protocol |= {"class_head_accuracy": float(right), "class_samples": CLASS_SAMPLES}
    return Calibration(held_out, latents, classifier, protocol)


def _joined(parts: list[Measured]) -> Measured:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Measured(*(torch.cat(column) for column in columns))

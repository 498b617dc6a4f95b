"""How well the scores of a model tell its own test images from others: out-of-distribution
detection (Hendrycks & Gimpel 2017, arXiv 1610.02136), with the metrics of that field.

Foreign images are the positives, as many as own ones where there are enough. The calibration is of
validation images, so the test images are new to it.
:mod:`vae_core.runs.records` keeps a report beside the run.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_core.basics.progress import Step
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import binarise
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.foreign import KINDS, foreign_images, upscaled_digits
from vae_core.scoring.typicality import UNLIKE

IMAGES = 500
FEWEST_IMAGES = 50
"""What a report that is kept is made of at least, where the data set has so many."""
_AT_ONCE = 20
_SENSITIVITY = 0.95

_RAW = "log_px"
SCORES = (_RAW, "typicality", *(name for name in FIGURES if name != _RAW), "combined")
"""Raw −log p̂(x), its two-sided tail, the other figures of a verdict, and its p-value."""


@dataclass(frozen=True)
class Separation:
    """How well a score tells foreign images from own ones.

    Attributes:
        auroc: area under the ROC curve, 0.5 by chance.
        aupr: average precision; by chance the share of foreign images.
        fpr_at_95_tpr: the share of own images taken for foreign ones where 95 % of those are found.
    """

    auroc: float
    aupr: float
    fpr_at_95_tpr: float


@dataclass(frozen=True)
class Detection:
    """How well one kind of foreign images is told from own images.

    Attributes:
        images: how many there are.
        called_unlike: the share that the verdict calls unlike the training data.
        scores: the separation by each of :data:`SCORES`.
    """

    images: int
    called_unlike: float
    scores: Mapping[str, Separation]


@dataclass(frozen=True)
class DetectionReport:
    """The scorer held against foreign images.

    Attributes:
        own_images: how many test images there are, of which ``false_alarms``, a share, are called
            unlike the training data; ``level`` is what that share is made for.
        kinds: by the name of the kind.
        seed: of the choice of test images, of what is drawn, and of binarisation.
        calibration: the protocol of what the scores were held against, and made by.
    """

    own_images: int
    false_alarms: float
    level: float
    kinds: Mapping[str, Detection]
    seed: int
    calibration: Mapping[str, Any]

    def auroc_se(self, kind: str, score: str) -> float:
        """About the standard error of an AUROC, by Hanley & McNeil 1982, equation 2."""
        found = self.kinds[kind]
        own, foreign, area = self.own_images, found.images, found.scores[score].auroc
        of_foreign = area / (2 - area) - area**2
        of_own = 2 * area**2 / (1 + area) - area**2
        spread = area * (1 - area) + (foreign - 1) * of_foreign + (own - 1) * of_own
        return math.sqrt(spread / (own * foreign))


def separation(own: NDArray[np.float64], foreign: NDArray[np.float64]) -> Separation:
    """How well a score that is higher for foreign images tells them from own ones, (N,) and (M,).

    A score that is not a number counts as the highest.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    truth = np.r_[np.zeros(len(own)), np.ones(len(foreign))]
    scores = np.nan_to_num(np.r_[own, foreign], nan=np.finfo(np.float64).max)
    wrong, right, _ = roc_curve(truth, scores, drop_intermediate=False)
    return Separation(
        float(roc_auc_score(truth, scores)),
        min(1.0, float(average_precision_score(truth, scores))),  # a sum, which rounding may lift
        float(wrong[right >= _SENSITIVITY].min()),
    )


def detection_steps(
    model: VAE,
    data: Dataset,
    calibration: Calibration,
    images: int = IMAGES,
    seed: int = 0,
    own_kinds: Mapping[str, Tensor] | None = None,
) -> Iterator[Step[DetectionReport]]:
    """Hold the scores of a model against every kind of foreign images.

    Args:
        calibration: of the model; its protocol is that of all scores here.
        images: how many test images, and of each kind.
        own_kinds: more kinds by name, uint8, (N, C, H, W).

    Yields:
        The share that is done; with the last step the report.
    """
    test = data.split("test")[0]
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))[:images]
    given = {"own": test[chosen], **_foreign(data, test[chosen], seed), **(own_kinds or {})}
    total = sum(map(len, given.values()))
    draw, done = torch.Generator().manual_seed(seed), 0
    figures: dict[str, Tensor] = {}
    for name, pixels in given.items():
        parts = []
        for block in binarise(pixels, calibration.binarisation, draw).split(_AT_ONCE):
            parts.append(calibration.measure(model, block).table)
            done += len(block)
            yield Step(done / total)
        figures[name] = torch.cat(parts)
    yield Step(1.0, _report(calibration, figures, seed))


def _foreign(data: Dataset, test: Tensor, seed: int) -> dict[str, Tensor]:
    kinds = {name: foreign_images(name, test, seed) for name in KINDS}
    if data.name != "digits":
        kinds["digits"] = upscaled_digits(len(test), data.info.image_shape, data.name)
    return kinds


def _report(calibration: Calibration, figures: dict[str, Tensor], seed: int) -> DetectionReport:
    reference = calibration.reference
    p_values = {name: reference.p_values(table) for name, table in figures.items()}
    scores = {
        name: _scores(table, reference.tails(table), p_values[name])
        for name, table in figures.items()
    }
    unlike = {name: float((p <= UNLIKE).double().mean()) for name, p in p_values.items()}
    kinds = {
        name: Detection(
            len(table),
            unlike[name],
            {each: separation(scores["own"][each], scores[name][each]) for each in SCORES},
        )
        for name, table in figures.items()
        if name != "own"
    }
    own, about = len(figures["own"]), dict(calibration.protocol)
    return DetectionReport(own, unlike["own"], UNLIKE, kinds, seed, about)


def _scores(table: Tensor, tails: Tensor, p_values: Tensor) -> dict[str, NDArray[np.float64]]:
    """Each of SCORES, higher for what is less typical."""
    figures = dict(zip(FIGURES, table.T.numpy(), strict=True))
    two_sided = dict(zip(FIGURES, tails.T.numpy(), strict=True))[_RAW]
    changed = {
        _RAW: -figures[_RAW],
        "typicality": -two_sided,
        "combined": -p_values.numpy(),
    }
    return {**figures, **changed}

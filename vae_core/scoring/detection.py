"""Out-of-distribution detection: how well scores separate a model's test images from others.

The metrics are those of Hendrycks & Gimpel 2017 (arXiv 1610.02136). Foreign images are the
positives. There are as many of them as own images, if enough exist. The calibration uses validation
images, so the test images are new to it. :mod:`vae_core.runs.records` saves a report in the run
folder.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_core.basics.blocks import join
from vae_core.basics.progress import Step
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import binarise
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration, Measured
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.foreign import KINDS, foreign_images, upscaled_digits
from vae_core.scoring.roc import area_se
from vae_core.scoring.typicality import Reference
from vae_core.settings.options import FALSE_ALARMS

IMAGES = 500
FEWEST_IMAGES = 50
"""Smallest number of test images for a report to be saved (or all, if the data set has fewer)."""
_AT_ONCE = 20
_SENSITIVITY = 0.95
OWN = "own"
"""Name of the test images among the kinds of foreign images."""
_DIGITS = "digits"
_LAST = ("blurred",)  # later kinds: the draws of those in stored reports stay as they were

_RAW = "log_px"
SCORES = (_RAW, "typicality", *(name for name in FIGURES if name != _RAW), "combined")
"""Raw −log p̂(x), its two-sided tail, the other figures of a verdict, and the verdict's p-value."""


@dataclass(frozen=True)
class Separation:
    """Separation of foreign images from own images by a score.

    Attributes:
        auroc: area under the ROC curve; 0.5 by chance.
        aupr: average precision; by chance the share of foreign images.
        fpr_at_95_tpr: share of own images called foreign, at the threshold that finds 95 % of the
            foreign images.
    """

    auroc: float
    aupr: float
    fpr_at_95_tpr: float


@dataclass(frozen=True)
class Detection:
    """Detection results for one kind of foreign images.

    Attributes:
        images: number of foreign images.
        called_unlike: share of them that the verdict calls unlike the training data.
        scores: the separation by each of :data:`SCORES`.
    """

    images: int
    called_unlike: float
    scores: Mapping[str, Separation]


@dataclass(frozen=True)
class DetectionReport:
    """Results of testing the scores of a model on foreign images.

    Attributes:
        own_images: number of test images.
        false_alarms: share of the test images that are called unlike the training data.
        level: the intended value of ``false_alarms``.
        kinds: results by the name of the kind.
        seed: seed for the choice of test images, the drawings, and binarisation.
        calibration: the protocol of the calibration.
    """

    own_images: int
    false_alarms: float
    level: float
    kinds: Mapping[str, Detection]
    seed: int
    calibration: Mapping[str, Any]

    def auroc_se(self, kind: str, score: str) -> float:
        """Approximate standard error of an AUROC (Hanley & McNeil 1982, equation 2)."""
        found = self.kinds[kind]
        return area_se(found.scores[score].auroc, self.own_images, found.images)


def separation(own: NDArray[np.float64], foreign: NDArray[np.float64]) -> Separation:
    """Measure how well scores of own images (N,) and foreign images (M,) are separated.

    Higher scores mean foreign. NaN counts as the highest score.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

    truth = np.r_[np.zeros(len(own)), np.ones(len(foreign))]
    scores = np.nan_to_num(np.r_[own, foreign], nan=np.finfo(np.float64).max)
    wrong, right, _ = roc_curve(truth, scores, drop_intermediate=False)
    return Separation(
        float(roc_auc_score(truth, scores)),
        min(1.0, float(average_precision_score(truth, scores))),  # rounding may exceed 1
        float(wrong[right >= _SENSITIVITY].min()),
    )


def detection_steps(
    model: VAE,
    data: Dataset,
    calibration: Calibration,
    images: int = IMAGES,
    seed: int = 0,
    own_kinds: Mapping[str, Tensor] | None = None,
    only: Collection[str] | None = None,
) -> Iterator[Step[DetectionReport]]:
    """Test the scores of a model on every kind of foreign images.

    Args:
        calibration: of the model; all scores here follow its protocol.
        images: number of test images, and of images of each kind.
        own_kinds: more kinds by name, uint8, (N, C, H, W).
        only: names of the kinds to score besides ``own_kinds``; None for all that
            :func:`kinds_for` names. Their figures are those that they have among all kinds.

    Yields:
        The share of the work that is done; the last step has the report.
    """
    test = data.split("test")[0]
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))[:images]
    given = {OWN: test[chosen], **_foreign(data, test[chosen], seed), **(own_kinds or {})}
    wanted = {OWN, *(given if only is None else only), *(own_kinds or {})}
    total = sum(len(pixels) for name, pixels in given.items() if name in wanted)
    draw, done = torch.Generator().manual_seed(seed), 0
    figures: dict[str, Measured] = {}
    for name, pixels in given.items():
        binary = binarise(pixels, calibration.binarisation, draw)  # the draws of every kind
        if name not in wanted:
            continue
        parts = []
        for block in binary.split(_AT_ONCE):
            parts.append(calibration.measure(model, block))
            done += len(block)
            yield Step(done / total)
        figures[name] = join(parts)
    yield Step(1.0, _report(calibration, figures, seed))


def kinds_for(dataset: str) -> tuple[str, ...]:
    """Name the kinds of foreign images for a model of a data set, in the order of a report."""
    digits = () if dataset == "digits" else (_DIGITS,)
    return (*(name for name in KINDS if name not in _LAST), *digits, *_LAST)


def _foreign(data: Dataset, test: Tensor, seed: int) -> dict[str, Tensor]:
    def kind(name: str) -> Tensor:
        if name == _DIGITS:
            return upscaled_digits(len(test), data.info.image_shape, data.name)
        return foreign_images(name, test, seed)

    return {name: kind(name) for name in kinds_for(data.name)}


def joined(report: DetectionReport, more: DetectionReport) -> DetectionReport:
    """Add the kinds of another report on the same test images to a report."""
    kinds = {**report.kinds, **more.kinds}
    known = [name for name in kinds_for(report.calibration["dataset"]) if name in kinds]
    ordered = {name: kinds[name] for name in (*known, *kinds)}
    return replace(report, kinds=ordered)


def _report(
    calibration: Calibration, figures: Mapping[str, Measured], seed: int
) -> DetectionReport:
    p_values = {name: calibration.p_values(found) for name, found in figures.items()}
    scores = {
        name: atypicality(calibration, found.table, p_values[name])
        for name, found in figures.items()
    }
    unlike = {name: float((p <= FALSE_ALARMS).double().mean()) for name, p in p_values.items()}
    kinds = {
        name: Detection(
            len(found.table),
            unlike[name],
            {each: separation(scores[OWN][each], scores[name][each]) for each in SCORES},
        )
        for name, found in figures.items()
        if name != OWN
    }
    own, about = len(figures[OWN].table), dict(calibration.protocol)
    return DetectionReport(own, unlike[OWN], FALSE_ALARMS, kinds, seed, about)


def atypicality(
    calibration: Calibration, figures: Tensor, p_values: Tensor
) -> dict[str, NDArray[np.float64]]:
    """Compute each of :data:`SCORES` of N images, (N,) each; higher values are less typical.

    Only the p-values know strata: every other score is a figure of the image alone.

    Args:
        figures: of the images, (N, F).
        p_values: of the images, by the same calibration, (N,).
    """
    tails = Reference(calibration.held_out.table).tails(figures)
    values = dict(zip(FIGURES, figures.T.numpy(), strict=True))
    atypical = {name: -tail for name, tail in zip(FIGURES, tails.T.numpy(), strict=True)}
    scores = {
        name: atypical[name] if figure.two_sided else values[name]
        for name, figure in FIGURES.items()
    }
    changed = {
        _RAW: -values[_RAW],
        "typicality": atypical[_RAW],
        "combined": -p_values.numpy(),
    }
    return {**scores, **changed}

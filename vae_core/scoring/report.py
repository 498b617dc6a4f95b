"""The score report of an image: log p̂(x), all other figures, and a verdict."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from vae_core.analysis.classification import ClassProbabilities
from vae_core.analysis.neighbours import Neighbours
from vae_core.basics.progress import Step, mapped
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.context import ImageContext
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.judge import Judge, as_judge
from vae_core.scoring.score import Convergence, Score, convergence_steps, scores_of
from vae_core.scoring.typicality import Judgement, Verdict


@dataclass(frozen=True)
class Report:
    """All results for one image, except its pixel map
    (:func:`vae_core.scoring.pixel_map.pixel_terms`).

    Attributes:
        score: log p̂(x) in nats with its diagnostics, and its place among held-out images.
        code_bits: length of a lossless code of the image as the model saw it, in bits.
        values: every figure by its name, with log p̂(x) from the K of the score; NaN if unknown.
        errors: standard errors of the figures that have one.
        neighbours: the training images with the nearest latents; None without a calibration.
        classes: p(y|x); None without a calibration.
        judgement: the place among held-out images in all figures; None without a calibration.
    """

    score: Score
    code_bits: float
    values: Mapping[str, float]
    errors: Mapping[str, float]
    neighbours: Neighbours | None = None
    classes: ClassProbabilities | None = None
    judgement: Judgement | None = None

    def at(self, false_alarms: float) -> "Report":
        """The same report with the verdict at another false-alarm rate."""
        if self.judgement is None or self.judgement.false_alarms == false_alarms:
            return self
        return replace(self, judgement=replace(self.judgement, false_alarms=false_alarms))

    @property
    def complexity_corrected(self) -> float:
        """−log₂ p̂(x) − ``code_bits``, in bits; high is atypical."""
        return self.values["complexity_corrected"]

    @property
    def regret(self) -> float:
        """Likelihood regret in nats; high is atypical."""
        return self.values["regret"]

    @property
    def regret_se(self) -> float:
        """Standard error of the likelihood regret in nats."""
        return self.errors["regret"]

    @property
    def verdict(self) -> Verdict | None:
        """The verdict over all figures; None without a calibration."""
        return self.judgement and self.judgement.verdict


def report_images(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    judge: Judge | Calibration | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> list[Report]:
    """Report on images that are prepared for the model, (B, C, H, W) in [0, 1].

    Args:
        judge: held-out images of this model, with the binarisation that was used for ``x``.

    Raises:
        InvalidArgument: if K is out of range or the images do not have the model's shape.
    """
    judge = as_judge(judge)
    images = judge.context(model, x, importance_samples, seed)
    images.estimate(on_progress)
    return _reports(images, judge)


def report_steps(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    judge: Judge | Calibration | None = None,
    seed: int = 0,
) -> Iterator[Step[list[tuple[Report, Convergence]]]]:
    """Report on a few images x (B, C, H, W) together, in small steps.

    The steps are those of :func:`vae_core.scoring.score.convergence_steps`. For one image, the work
    before the first step and after the last one takes about 50 ms together (0.6 s with a
    convolutional net).
    """
    judge = as_judge(judge)
    images = judge.context(model, x, importance_samples, seed)
    yield from mapped(
        convergence_steps(images),
        lambda courses: list(zip(_reports(images, judge), courses, strict=True)),
    )


def _reports(images: ImageContext, judge: Judge) -> list[Report]:
    values = {name: figure.measure(images) for name, figure in FIGURES.items()}
    errors = {name: figure.se(images) for name, figure in FIGURES.items() if figure.se}
    return [
        Report(score, code_bits, _at(i, values), _at(i, errors), **placed)
        for i, (score, code_bits, placed) in enumerate(
            zip(
                scores_of(images, judge),
                images.code_bits.tolist(),
                _placed(images, judge),
                strict=True,
            )
        )
    ]


def _at(index: int, columns: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: column[index].item() for name, column in columns.items()}


def _placed(images: ImageContext, judge: Judge) -> list[dict[str, Any]]:
    """Compare images with training and held-out images; return fields of their reports."""
    calibration = judge.calibration
    if calibration is None:
        return [{}] * len(images.x)
    measured = calibration.measured(calibration.comparable(images))
    columns = {
        "neighbours": calibration.latents.nearest(images.whitened),
        "classes": calibration.classes(images),
        "judgement": calibration.judge(measured, judge.false_alarms),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

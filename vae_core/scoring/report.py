"""The whole score report of an image: what its log p̂(x) is worth, and a verdict."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vae_core.analysis.classification import ClassProbabilities
from vae_core.analysis.neighbours import Neighbours
from vae_core.basics.progress import Step, mapped
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration, table
from vae_core.scoring.context import ImageContext
from vae_core.scoring.figures.table import FIGURES
from vae_core.scoring.judge import Judge, as_judge
from vae_core.scoring.score import Convergence, Score, convergence_steps, scores_of
from vae_core.scoring.typicality import Judgement, Verdict


@dataclass(frozen=True)
class Report:
    """Everything that is known of one image. Its pixel map is
    :func:`vae_core.scoring.pixel_map.pixel_terms`.

    Attributes:
        score: log p̂(x) in nats with its diagnostics, and its place among held-out images.
        code_bits: length of a lossless code of what the model saw, in bits.
        values: every figure by its name, log p̂(x) by the K of the score; NaN where it is not known.
        errors: standard errors of the figures that have any.
        neighbours: the training images with the nearest latents; None without a calibration, as
            are the last two.
        classes: p(y|x).
        judgement: the place among held-out images in all figures.
    """

    score: Score
    code_bits: float
    values: Mapping[str, float]
    errors: Mapping[str, float]
    neighbours: Neighbours | None = None
    classes: ClassProbabilities | None = None
    judgement: Judgement | None = None

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
        """How usual the image is, over all figures; None without a calibration."""
        return self.judgement and self.judgement.verdict


def report_images(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    judge: Judge | Calibration | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> list[Report]:
    """Report on images that are already as the model sees them, (B, C, H, W) in [0, 1].

    Args:
        judge: held-out images of this model, under the binarisation by which ``x`` was made.

    Raises:
        InvalidArgument: if K is out of range or the images are not of the model's shape.
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
) -> Iterator[Step[tuple[Report, Convergence]]]:
    """Report on one image x (1, C, H, W) in small steps, as
    :func:`vae_core.scoring.score.convergence_steps` has them.

    The work before the first step and after the last takes some 50 ms together, with a
    convolutional net 0.6 s.
    """
    judge = as_judge(judge)
    images = judge.context(model, x, importance_samples, seed)
    yield from mapped(
        convergence_steps(images), lambda convergence: (_reports(images, judge)[0], convergence)
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
                _placed(images, judge.calibration),
                strict=True,
            )
        )
    ]


def _at(index: int, columns: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: column[index].item() for name, column in columns.items()}


def _placed(images: ImageContext, calibration: Calibration | None) -> list[dict[str, Any]]:
    """Compare images with training images and with held-out ones: fields of a report."""
    if calibration is None:
        return [{}] * len(images.x)
    figures = table(calibration.comparable(images))
    columns = {
        "neighbours": calibration.latents.nearest(images.whitened),
        "classes": calibration.classes(images),
        "judgement": calibration.reference.judge(figures),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

"""The whole score report of an image: what its log p̂(x) is worth, and a verdict."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from vae_core.analysis.classification import ClassProbabilities
from vae_core.analysis.neighbours import Neighbours
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
        ValueError: if K is out of range or the images are not of the model's shape.
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
) -> Generator[float, None, tuple[Report, Convergence]]:
    """Report on one image x (1, C, H, W) in small steps, as
    :func:`vae_core.scoring.score.convergence_steps` has them.

    The work before the first step and after the last takes some 50 ms together, with a
    convolutional net 0.6 s.
    """
    judge = as_judge(judge)
    images = judge.context(model, x, importance_samples, seed)
    convergence = yield from convergence_steps(images)
    (report,) = _reports(images, judge)
    return report, convergence


def _reports(images: ImageContext, judge: Judge) -> list[Report]:
    values = {name: figure.measure(images) for name, figure in FIGURES.items()}
    errors = {name: figure.se(images) for name, figure in FIGURES.items() if figure.se}
    reports = [
        Report(score, images.code_bits[i].item(), _at(i, values), _at(i, errors))
        for i, score in enumerate(scores_of(images, judge))
    ]
    return reports if judge.calibration is None else _judged(reports, images, judge.calibration)


def _at(index: int, columns: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: column[index].item() for name, column in columns.items()}


def _judged(reports: list[Report], images: ImageContext, calibration: Calibration) -> list[Report]:
    """Add what a comparison with training images and with held-out ones says."""
    columns = zip(
        reports,
        calibration.latents.nearest(images.whitened),
        calibration.classes(images),
        calibration.reference.judge(table(calibration.comparable(images))),
        strict=True,
    )
    return [
        replace(report, neighbours=near, classes=classes, judgement=judgement)
        for report, near, classes, judgement in columns
    ]

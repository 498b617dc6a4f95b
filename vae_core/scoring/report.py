"""The whole score report of an image: what its log p̂(x) is worth, and a verdict in words."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.analysis.classification import ClassProbabilities
from vae_core.analysis.neighbours import Neighbours
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration, table
from vae_core.scoring.figures.complexity import code_length
from vae_core.scoring.figures.regret import likelihood_regret
from vae_core.scoring.score import (
    Convergence,
    HeldOut,
    Score,
    complexity_corrected,
    score_images,
    scoring_steps,
)
from vae_core.scoring.typicality import Judgement, Verdict, that_of


@dataclass(frozen=True)
class Report:
    """Everything that is known of one image. Its pixel map is
    :func:`vae_core.scoring.pixel_map.pixel_terms`.

    Attributes:
        score: log p̂(x) in nats with its diagnostics, and its place among held-out images.
        code_bits: length of a lossless code of what the model saw, in bits.
        complexity_corrected: −log₂ p̂(x) − ``code_bits``, in bits; high is atypical.
        regret: likelihood regret in nats, with its standard error ``regret_se``; high is atypical.
        neighbours: the training images with the nearest latents; None without a calibration, as
            are the last two.
        classes: p(y|x).
        judgement: the place among held-out images in all figures.
    """

    score: Score
    code_bits: float
    complexity_corrected: float
    regret: float
    regret_se: float
    neighbours: Neighbours | None = None
    classes: ClassProbabilities | None = None
    judgement: Judgement | None = None

    @property
    def verdict(self) -> Verdict | None:
        """From calibrated percentiles alone: of all figures, else of log p̂(x); None without any."""
        if self.judgement is not None:
            return self.judgement.verdict
        return None if self.score.place is None else self.score.place.verdict

    @property
    def sentence(self) -> str:
        """The verdict, and what decided; empty without one."""
        if self.judgement is not None:
            return self.judgement.sentence
        place = self.score.place
        if place is None:
            return ""
        return (
            f"{place.verdict.capitalize()} by its log p(x) alone, higher than "
            f"{that_of(place.percentile, place.images)} held-out images (two-sided p = "
            f"{place.tail:.2g})."
        )


def report_images(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    calibration: Calibration | None = None,
    held_out: HeldOut | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> list[Report]:
    """Reports of images that are already as the model sees them, (B, C, H, W) in [0, 1].

    Args:
        calibration: of this model, under the binarisation by which ``x`` was made.
        held_out: what to compare log p̂(x) with where there is no calibration.

    Raises:
        InvalidArgument: if K is out of range or the images are not of the model's shape.
    """
    held_out = held_out if calibration is None else calibration.scores
    scores = score_images(model, x, importance_samples, held_out, seed, on_progress)
    return _reports(model, x, scores, calibration, seed)


def report_steps(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    calibration: Calibration | None = None,
    held_out: HeldOut | None = None,
    seed: int = 0,
) -> Generator[float, None, tuple[Report, Convergence]]:
    """The report of one image x (1, C, H, W) in small steps, as
    :func:`vae_core.scoring.score.scoring_steps` has them; what comes before the first and after the
    last
    takes some 50 ms together, with a convolutional net 0.6 s."""
    held_out = held_out if calibration is None else calibration.scores
    steps = scoring_steps(model, x, importance_samples, held_out, seed)
    score, convergence = yield from steps
    (report,) = _reports(model, x, [score], calibration, seed)
    return report, convergence


def _reports(
    model: VAE, x: Tensor, scores: list[Score], calibration: Calibration | None, seed: int
) -> list[Report]:
    regret = likelihood_regret(model, x, seed if calibration is None else calibration.seed)
    bits = code_length(x)
    log_px = torch.tensor([score.log_px for score in scores], dtype=torch.float64)
    corrected = complexity_corrected(log_px, bits)
    columns = (bits, corrected, regret.amortisation, regret.amortisation_se)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    placed = _placed(model, x, scores, calibration, bits, regret.amortisation)
    return [
        Report(score, *row, *where) for score, row, where in zip(scores, rows, placed, strict=True)
    ]


def _placed(
    model: VAE,
    x: Tensor,
    scores: list[Score],
    calibration: Calibration | None,
    bits: Tensor,
    regret: Tensor,
) -> list[tuple[Neighbours, ClassProbabilities, Judgement] | tuple[()]]:
    """What a calibration adds."""
    if calibration is None:
        return [()] * len(scores)
    whitened = calibration.latents.whitened(model, x, calibration.seed)
    comparable = torch.tensor([s.place.log_px for s in scores if s.place], dtype=torch.float64)
    figures = table(comparable, bits, regret, calibration.latents.distance(whitened))
    return list(
        zip(
            calibration.latents.nearest(whitened),
            calibration.classes(model, x, whitened),
            calibration.reference.judge(figures),
            strict=True,
        )
    )

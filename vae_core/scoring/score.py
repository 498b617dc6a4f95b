"""Scores of images: log p̂(x) with its diagnostics, and its place among held-out images."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.progress import Step
from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.context import ImageContext
from vae_core.scoring.judge import Judge, as_judge
from vae_core.scoring.place import Place
from vae_core.settings.choices import is_density

_FIRST_STOP = 10
_STOPS_PER_DECADE = 12


@dataclass(frozen=True)
class Score:
    """The score of one image.

    Attributes:
        log_px: log p̂(x) in nats, with its standard error ``se``; NaN if it is not known, because
            the estimate is not ``trusted``.
        ess: effective sample size; ``importance_samples`` at most.
        pareto_k: tail shape of the weights; see ``trusted``.
        bits_per_dim: −log₂ p̂(x) / D; NaN if p(x) is a density of grey values.
        elbo: of the encoder's q(z|x), in nats; ``expected_log_likelihood`` − ``kl`` in expectation.
        refined: whether the draws for log p̂(x) come from a mixture fitted to the image
            (:mod:`vae_core.inference.proposals`); otherwise the fit failed, and they come from the
            encoder's q(z|x) and the prior.
        place: among held-out images; None if no held-out images of the same protocol are known.
    """

    log_px: float
    se: float
    ess: float
    pareto_k: float
    bits_per_dim: float
    elbo: float
    expected_log_likelihood: float
    kl: float
    importance_samples: int
    refined: bool
    place: Place | None = None

    @property
    def percentile(self) -> float | None:
        """Share of held-out images with a lower score, 0 to 100."""
        return None if self.place is None else self.place.percentile

    @property
    def trusted(self) -> bool:
        """Whether the estimate can be trusted, by the tail of the weights, by their ESS, and by
        how many modes of p(z|x) there are."""
        return not math.isnan(self.se)


def score_images(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    judge: Judge | Calibration | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> list[Score]:
    """Score images that are prepared for the model, (B, C, H, W) in [0, 1].

    Args:
        judge: held-out images of this model, with the binarisation that was used for ``x``.

    Raises:
        InvalidArgument: if K is out of range or the images do not have the model's shape.
    """
    judge = as_judge(judge)
    images = judge.context(model, x, importance_samples, seed)
    images.estimate(on_progress)
    return scores_of(images, judge)


def scores_of(images: ImageContext, judge: Judge) -> list[Score]:
    """Score a batch of images, with their places among held-out images."""
    estimate, encoder = images.estimate(), images.elbo_terms
    config = images.model.config
    bits = estimate.bits_per_dim(config.pixels)
    columns = {
        "log_px": estimate.log_px,
        "se": estimate.se,
        "ess": estimate.ess,
        "pareto_k": estimate.pareto_k,
        "bits_per_dim": bits * math.nan if is_density(config.likelihood) else bits,
        "elbo": encoder.elbo,
        "expected_log_likelihood": encoder.expected_log_likelihood,
        "kl": encoder.kl,
    }
    return [
        Score(
            **{name: _number(column[i]) for name, column in columns.items()},
            importance_samples=images.importance_samples,
            refined=bool(images.proposal.is_fitted[i]),
            place=place,
        )
        for i, place in enumerate(judge.places(images))
    ]


def _number(value: Tensor) -> float:
    """The number in a tensor; always the same NaN, so that equal scores compare equal."""
    return math.nan if value.isnan() else value.item()


@dataclass(frozen=True)
class Convergence:
    """log p̂(x) of an image for growing numbers of samples, with standard errors, in nats.

    A standard error is NaN where it is not known.
    """

    samples: tuple[int, ...]
    log_px: tuple[float, ...]
    se: tuple[float, ...]


def convergence_steps(images: ImageContext) -> Iterator[Step[list[Convergence]]]:
    """Estimate log p(x) of a few images in small steps; the context keeps the final estimates.

    The caller can do other work between two steps, or stop early.

    Yields:
        The share of the work that is done; the last step has the estimates of each image for
        growing numbers of samples.
    """
    stops = _stops(images.importance_samples)
    course: list[tuple[int, Tensor, Tensor]] = []
    for running in images.estimate_steps(stops):
        if running.samples in stops:
            so_far = running.estimate()
            course.append((running.samples, so_far.log_px, so_far.se))
        if running.share < 1:
            yield Step(running.share)
    samples, *columns = zip(*course, strict=True)
    log_px, se = (torch.stack(column, 1).tolist() for column in columns)  # a row for each image
    yield Step(
        1.0,
        [Convergence(samples, tuple(a), tuple(b)) for a, b in zip(log_px, se, strict=True)],
    )


def _stops(most: int) -> set[int]:
    """Return numbers of samples, evenly spaced on a logarithmic axis, up to ``most`` inclusive."""
    count = math.ceil(_STOPS_PER_DECADE * math.log10(max(10, most / _FIRST_STOP)))
    first = max(1, min(_FIRST_STOP, most))
    return {round(first * (most / first) ** (i / count)) for i in range(count + 1)}

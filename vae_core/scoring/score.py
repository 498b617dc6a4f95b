"""Scores of images a user gives: log p̂(x) with its diagnostics and its place among held-out images.

Raw likelihoods mislead (Nalisnick et al. 2019, arXiv 1810.09136): a plain image may score above
every image of the kind that the model knows. A two-sided percentile among such images says more.
"""

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vae_core.inference.importance import (
    LogDensity,
    RunningDensity,
    log_density,
    stream_log_density,
)
from vae_core.inference.pareto import trustworthy
from vae_core.inference.proposals import RefinedProposal, refine
from vae_core.model.vae import VAE
from vae_core.scoring.typicality import Verdict, verdict_of
from vae_core.settings.choices import Binarisation

_FIRST_STOP = 10
_STOPS_PER_DECADE = 12
_ELBO_SAMPLES = 200  # of the encoder's q


@dataclass(frozen=True)
class Place:
    """Where an image stands among held-out images of the same protocol.

    Attributes:
        log_px: its log p̂(x) in nats, with as many importance samples as the held-out images got:
            the estimate rises with K, so only equal K compare.
        lower, equal, images: how many held-out images score lower or the same, and how many there
            are.
    """

    log_px: float
    lower: float
    equal: float
    images: int

    @property
    def percentile(self) -> float:
        """The share of held-out images that score lower, 0 to 100; ties count half."""
        return 100 * (self.lower + self.equal / 2) / self.images

    @property
    def percentile_se(self) -> float:
        """Its standard error for the number of held-out images, never 0 (Agresti & Coull 1998)."""
        share = (self.lower + self.equal / 2 + 2) / (self.images + 4)
        return 100 * math.sqrt(share * (1 - share) / (self.images + 4))

    @property
    def tail(self) -> float:
        """The two-sided p-value: how rarely an image of the data would score so far out, 0 to 1.

        An image of the data falls below any level α with probability α at most.
        """
        below, above = self.lower + self.equal, self.images - self.lower
        return min(1.0, 2 * (1 + min(below, above)) / (self.images + 1))

    @property
    def verdict(self) -> Verdict:
        """The place in words; it follows from the tail, never from the raw score."""
        return verdict_of(self.tail)


@dataclass(frozen=True)
class Score:
    """The score of one image.

    Attributes:
        log_px: log p̂(x) in nats, with its standard error ``se``.
        ess: effective sample size, of ``importance_samples``.
        pareto_k: tail shape of the weights; see ``trusted``.
        bits_per_dim: −log₂ p̂(x) / D.
        elbo: of the encoder's q(z|x), in nats; ``expected_log_likelihood`` − ``kl`` in expectation.
        refined: whether log p̂(x) is by draws from a Gaussian fitted to the image
            (:mod:`vae_core.inference.proposals`); else they are from the encoder's q(z|x).
        place: among held-out images; None where there are none of the same protocol.
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
        """The share of held-out images with a lower score, 0 to 100."""
        return None if self.place is None else self.place.percentile

    @property
    def trusted(self) -> bool:
        """Whether the weights' tail and their effective number let the estimate be trusted."""
        return trustworthy(self.pareto_k, self.ess)


@dataclass(frozen=True)
class HeldOut:
    """Scores of held-out images, log p̂(x) in nats, (N,), and the protocol they were made by."""

    log_px: Tensor
    protocol: dict[str, Any]

    @property
    def importance_samples(self) -> int:
        """K of these scores."""
        return self.protocol["importance_samples"]

    @property
    def seed(self) -> int:
        """Of the draws behind these scores."""
        return self.protocol["seed"]

    @property
    def refined(self) -> bool:
        """Whether these scores are by draws from refined proposals."""
        return self.protocol.get("proposal") == "refined"

    def comparable(self, model: VAE, x: Tensor, proposal: RefinedProposal, seed: int) -> Tensor:
        """log p̂(x) of images x (B, C, H, W) as these scores were found, (B,).

        Args:
            proposal: what was made of the images by that seed; it need not be made twice.
        """
        own: RefinedProposal | None = None
        if self.refined:
            own = proposal if seed == self.seed else refine(model, x, self.seed)
        return log_density(model, x, self.importance_samples, self.seed, proposal=own).log_px

    def binarised_by(self, protocol: Binarisation) -> bool:
        """Whether scores under that binarisation may be compared with these."""
        return self.protocol["binarisation"] == protocol

    def place(self, log_px: float) -> Place:
        """Where a score with the same K stands."""
        lower, equal = (self.log_px < log_px).sum(), (self.log_px == log_px).sum()
        return Place(log_px, float(lower), float(equal), len(self.log_px))


def complexity_corrected(log_px: Tensor, code_bits: Tensor) -> Tensor:
    """−log₂ p̂(x) − the bits of a lossless code (Serrà et al. 2020, arXiv 1909.11480), in bits.

    High where the model needs more bits than its image is complex. For a density of grey levels it
    holds up to a constant, the same for all images.

    Args:
        log_px: in nats, any shape; ``code_bits`` of the same.
    """
    return -log_px / math.log(2) - code_bits


def score_images(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    held_out: HeldOut | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> list[Score]:
    """Scores of images that are already as the model sees them, (B, C, H, W) in [0, 1].

    Args:
        held_out: scores under the binarisation by which ``x`` was made.

    Raises:
        InvalidArgument: if K is out of range or the images are not of the model's shape.
    """
    x = x.to(model.device)
    proposal = refine(model, x, seed)
    result = log_density(model, x, importance_samples, seed, on_progress, proposal)
    return _scores(model, x, proposal, result, importance_samples, held_out, seed)


def _scores(
    model: VAE,
    x: Tensor,
    proposal: RefinedProposal,
    result: LogDensity,
    importance_samples: int,
    held_out: HeldOut | None,
    seed: int,
) -> list[Score]:
    places: list[Place | None] = [None] * len(x)
    if held_out is not None:
        comparable = held_out.comparable(model, x, proposal, seed)
        places = [held_out.place(log_px) for log_px in comparable.tolist()]
    encoder = log_density(model, x, _ELBO_SAMPLES, seed)
    bits_per_dim = result.bits_per_dim(model.config.pixels)
    return [
        Score(
            log_px=result.log_px[i].item(),
            se=result.se[i].item(),
            ess=result.ess[i].item(),
            pareto_k=result.pareto_k[i].item(),
            bits_per_dim=bits_per_dim[i].item(),
            elbo=encoder.elbo[i].item(),
            expected_log_likelihood=encoder.expected_log_likelihood[i].item(),
            kl=encoder.kl[i].item(),
            importance_samples=importance_samples,
            refined=bool(proposal.is_fitted[i]),
            place=place,
        )
        for i, place in enumerate(places)
    ]


@dataclass(frozen=True)
class Convergence:
    """log p̂(x) of an image after growing numbers of samples, with its standard error, in nats."""

    samples: tuple[int, ...]
    log_px: tuple[float, ...]
    se: tuple[float, ...]


def scoring_steps(
    model: VAE,
    x: Tensor,
    importance_samples: int,
    held_out: HeldOut | None = None,
    seed: int = 0,
) -> Generator[float, None, tuple[Score, Convergence]]:
    """The score of one image x (1, C, H, W), as in :func:`score_images`, in small steps.

    Whoever drives it can do other things between two steps, or never come back.

    Yields:
        The share that is done, 0 to 1.

    Returns:
        The score, and how the estimate went with the number of samples.
    """
    x = x.to(model.device)
    stops = _stops(importance_samples)
    course: list[tuple[int, float, float]] = []
    proposal = refine(model, x, seed)
    running = RunningDensity(importance_samples)
    for running in stream_log_density(model, x, importance_samples, seed, stops, proposal):
        if running.samples in stops:
            course.append((running.samples, running.log_px.item(), running.se.item()))
        yield running.samples / importance_samples
    result = running.estimate()
    (score,) = _scores(model, x, proposal, result, importance_samples, held_out, seed)
    return score, Convergence(*zip(*course, strict=True))


def _stops(most: int) -> set[int]:
    """Numbers of samples evenly spread on a logarithmic axis, up to and with ``most``."""
    count = math.ceil(_STOPS_PER_DECADE * math.log10(max(10, most / _FIRST_STOP)))
    first = max(1, min(_FIRST_STOP, most))
    return {round(first * (most / first) ** (i / count)) for i in range(count + 1)}

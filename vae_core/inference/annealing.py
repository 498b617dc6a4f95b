"""Annealed importance sampling (AIS), and bounds on both sides of log p(x) for simulated data.

AIS (Neal 2001; Wu et al. 2017, arXiv 1611.04273) moves chains from the prior to the posterior
through p_t(z) ∝ p(z) p(x|z)^β_t, 0 = β_0 < … < β_T = 1, by HMC. The weights are unbiased for p(x),
so log p̂(x) is a lower bound in expectation. BDMC (Grosse et al. 2015, arXiv 1511.02543) also runs
the chains backwards from an exact posterior sample, which gives an upper bound. An exact sample is
known if x was simulated: z ~ p(z), then x ~ p(x|z).

The step sizes come from a pilot run (:mod:`vae_core.inference.tempering`). Chains that tune their
own would not leave p_t invariant, so the results would not be bounds. All values are in nats.
"""

import copy
import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from vae_core.basics.blocks import join
from vae_core.basics.errors import InvalidArgument
from vae_core.basics.progress import OnProgress, finish
from vae_core.inference.hmc import ChainState, state_at, transition
from vae_core.inference.tempering import PILOT_TEMPERATURES, tempered, tune_steps
from vae_core.model.batches import rows_at_once
from vae_core.model.vae import VAE

S = TypeVar("S")

_FEWEST_CHAINS = 2.0  # effective chains below which the delta method tells no error
_GRAPH = 3  # memory factor: the gradient needs stored activations and their gradients


@dataclass(frozen=True)
class Annealing:
    """Settings of AIS. Fewer than 500 temperatures give a quick look, not a figure to quote.

    Attributes:
        chains: M, the number of chains per image.
        temperatures: T, the number of steps from β = 0 to 1.
        leapfrog_steps: number of leapfrog steps of the HMC transition at each temperature.

    Raises:
        InvalidArgument: if one of them is below 1.
    """

    chains: int = 16
    temperatures: int = 500
    leapfrog_steps: int = 10

    def __post_init__(self) -> None:
        if min(self.chains, self.temperatures, self.leapfrog_steps) < 1:
            raise InvalidArgument(
                "Annealing needs at least one chain, temperature and leapfrog step."
            )


@dataclass(frozen=True)
class AnnealedDensity:
    """Result of AIS in one direction; every attribute is (B,), float64, in nats.

    Attributes:
        log_px: forwards logsumexp_m log w_m − log M, a lower bound in expectation; backwards
            −(logsumexp_m −log w_m − log M), an upper bound in expectation.
        se: standard error of ``log_px`` over the chains by the delta method, sqrt(Σ w̃_m² − 1/M).
            NaN where it is not known, because one chain carries most of the weight (ESS below 2).
            Backwards, all chains of an image start at the same z; the variance from this start is
            not included.
        ess: effective number of chains 1/Σ w̃_m², between 1 and M.
        acceptance: mean acceptance probability of the HMC transitions; NaN for T = 1, which has no
            transition.
    """

    log_px: Tensor
    se: Tensor
    ess: Tensor
    acceptance: Tensor


@dataclass(frozen=True)
class Sandwich:
    """Lower and upper bounds on log p(x) of B simulated images, in expectation.

    Attributes:
        lower: result of AIS forwards.
        upper: result of AIS backwards.
    """

    lower: AnnealedDensity
    upper: AnnealedDensity

    @property
    def width(self) -> Tensor:
        """Upper − lower bound of each image, (B,), nats; it can be negative by chance."""
        return self.upper.log_px - self.lower.log_px

    @property
    def mean_width(self) -> tuple[float, float]:
        """Mean width over the images and its standard error (NaN for a single image)."""
        width = self.width
        spread = width.std().item() if len(width) > 1 else math.nan
        return width.mean().item(), spread / math.sqrt(len(width))


def sigmoid_schedule(temperatures: int, sharpness: float = 4.0) -> Tensor:
    """β_0 = 0, …, β_T = 1, float64, (T + 1,): slow at both ends (Wu et al. 2017, §3).

    β_t = (b_t − b_0)/(b_T − b_0) with b_t = sigmoid(δ(2t/T − 1)), δ = ``sharpness``.
    """
    b = torch.linspace(-sharpness, sharpness, temperatures + 1, dtype=torch.float64).sigmoid()
    return (b - b[0]) / (b[-1] - b[0])


class RunningAnnealing:
    """State of AIS in one direction, at some temperature.

    Attributes:
        z: positions of the chains, (M, B, d).
        beta: the current temperature.
        log_w: Σ (β_t − β_{t−1}) log p(x|z) so far, (M, B), float64; backwards this is −log w.
        done: number of temperatures passed, out of ``total``.
    """

    def __init__(self, z: Tensor, betas: Tensor) -> None:
        self.z = z
        self.forwards = bool(betas[0] < betas[-1])
        self.beta = betas[0].item()
        self.done, self.total = 0, len(betas) - 1
        self.log_w = torch.zeros(z.shape[:2], dtype=torch.float64)
        self._acceptance = torch.zeros(z.shape[1], dtype=torch.float64)

    @property
    def share(self) -> float:
        """Share of the temperatures that are done, 0 to 1."""
        return self.done / self.total

    def weigh(self, beta: float, log_likelihood: Tensor) -> None:
        """Change the temperature to β, given log p(x|z) at the chains, (M, B)."""
        self.log_w = self.log_w + (beta - self.beta) * log_likelihood.cpu().double()
        self.beta = beta
        self.done += 1

    def move(self, z: Tensor, acceptance: Tensor) -> None:
        """Record one transition of all chains at the current temperature."""
        self.z = z
        self._acceptance = self._acceptance + acceptance.cpu().double().mean(0)

    def estimate(self) -> AnnealedDensity:
        """Compute the bound on log p(x), or before the last temperature on log ∫ p_t(z) dz."""
        weights = self.log_w.softmax(0).square().sum(0)
        mean = self.log_w.logsumexp(0) - math.log(len(self.log_w))
        se = (weights - 1 / len(self.log_w)).clamp_min(0).sqrt()
        return AnnealedDensity(
            log_px=mean if self.forwards else -mean,
            se=torch.where(1 / weights >= _FEWEST_CHAINS, se, torch.nan),
            ess=1 / weights,
            acceptance=self._acceptance / (max(0, self.done - 1) or math.nan),
        )


@dataclass(frozen=True)
class RunningSandwich:
    """State of AIS in both directions; ``reverse`` is None until the second one begins."""

    forward: RunningAnnealing
    reverse: RunningAnnealing | None = None

    @property
    def share(self) -> float:
        """Share of both directions that is done, 0 to 1."""
        return (self.forward.share + (self.reverse.share if self.reverse else 0)) / 2

    def estimate(self) -> Sandwich:
        """Compute both bounds.

        Raises:
            ValueError: before both directions are done.
        """
        if self.reverse is None or self.share < 1:
            raise ValueError("Both bounds are known only after both directions are done.")
        return Sandwich(self.forward.estimate(), self.reverse.estimate())


@torch.no_grad()
def ais_steps(
    model: VAE, x: Tensor, annealing: Annealing | None = None, seed: int = 0
) -> Iterator[RunningAnnealing]:
    """Run AIS from the prior to the posterior for a few images at once, in steps.

    Args:
        x: images, (B, C, H, W).

    Yields:
        The chains after each temperature. The ``estimate()`` of the last state is the lower bound
        on log p(x). Before them comes the state at the temperature of the prior, after each
        transition of the pilot run, which is an eighth of the work by default.

    Raises:
        InvalidArgument: if the images do not have the model's shape.
    """
    x = model.as_images(x)
    annealing = annealing or Annealing()
    generator = torch.Generator(model.device).manual_seed(seed)
    waiting = _waiting(model, x, annealing)
    step_sizes = yield from _tuned(model, x, annealing, generator, waiting)
    yield from _anneal_from_prior(model, x, annealing, step_sizes, generator)


@torch.no_grad()
def bdmc_steps(
    model: VAE, x: Tensor, z: Tensor, annealing: Annealing | None = None, seed: int = 0
) -> Iterator[RunningSandwich]:
    """Run AIS in both directions for a few simulated images at once, in steps.

    Args:
        x: images simulated from the model itself, (B, C, H, W), as by :func:`simulate`.
        z: the latents of these images, (B, d), which are exact posterior samples.

    Yields:
        The chains after each temperature, as in :func:`ais_steps`.

    Raises:
        InvalidArgument: if the images are not of the model's shape, or the latents not of them.
    """
    x, z = _simulated(model, x, z)
    annealing = annealing or Annealing()
    generator = torch.Generator(model.device).manual_seed(seed)
    waiting = RunningSandwich(_waiting(model, x, annealing))
    step_sizes = yield from _tuned(model, x, annealing, generator, waiting)
    forward: RunningAnnealing | None = None
    for forward in _anneal_from_prior(model, x, annealing, step_sizes, generator):
        yield RunningSandwich(forward)
    assert forward is not None
    start = z.expand(annealing.chains, *z.shape)
    betas = sigmoid_schedule(annealing.temperatures).flip(0)
    for reverse in _anneal(model, x, start, betas, step_sizes.flip(0), annealing, generator):
        yield RunningSandwich(forward, reverse)


def ais(
    model: VAE,
    x: Tensor,
    annealing: Annealing | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> AnnealedDensity:
    """Compute the AIS lower bound on log p(x) of images (B, C, H, W), in bounded memory.

    Args:
        on_progress: called with the share of the work that is done, 0 to 1.

    Raises:
        InvalidArgument: if the images do not have the model's shape.
    """
    x = model.as_images(x)
    annealing = annealing or Annealing()
    parts = [_no_bound()]
    groups = _groups(model, x, annealing)
    for index, chosen in enumerate(groups):
        steps = ais_steps(model, x[chosen], annealing, seed + index)
        parts.append(finish(steps, _part_of(on_progress, index, len(groups))).estimate())
    return join(parts)


def bdmc(
    model: VAE,
    x: Tensor,
    z: Tensor,
    annealing: Annealing | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> Sandwich:
    """Compute lower and upper bounds for simulated images, in bounded memory.

    Args:
        x: images simulated from the model itself, (B, C, H, W), as by :func:`simulate`.
        z: the latents of these images, (B, d).
        on_progress: called with the share of the work that is done, 0 to 1.

    Raises:
        InvalidArgument: if the images are not of the model's shape, or the latents not of them.
    """
    x, z = _simulated(model, x, z)
    annealing = annealing or Annealing()
    parts = [Sandwich(_no_bound(), _no_bound())]
    groups = _groups(model, x, annealing)
    for index, chosen in enumerate(groups):
        steps = bdmc_steps(model, x[chosen], z[chosen], annealing, seed + index)
        parts.append(finish(steps, _part_of(on_progress, index, len(groups))).estimate())
    return join(parts)


@torch.no_grad()
def simulate(
    model: VAE, count: int, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Draw images from the model, z ~ p(z) and x ~ p(x|z): x (count, C, H, W) and z (count, d).

    Raises:
        InvalidArgument: if ``count`` is negative.
    """
    if count < 0:
        raise InvalidArgument(f"The number of images cannot be negative; it was {count}.")
    z = model.prior.sample((count,), generator)
    return model.sample_images(z, generator), z


def _simulated(model: VAE, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Convert and check simulated images and their latents."""
    x = model.as_images(x)
    wanted = (len(x), model.config.latent_size)
    if tuple(z.shape) != wanted:
        raise InvalidArgument(
            f"The latents of these images must have shape {wanted}, not {tuple(z.shape)}."
        )
    return x, torch.as_tensor(z).to(x)


def _anneal_from_prior(
    model: VAE, x: Tensor, annealing: Annealing, step_sizes: Tensor, generator: torch.Generator
) -> Iterator[RunningAnnealing]:
    start = model.prior.sample((annealing.chains, len(x)), generator)
    betas = sigmoid_schedule(annealing.temperatures)
    yield from _anneal(model, x, start, betas, step_sizes, annealing, generator)


def _anneal(
    model: VAE,
    x: Tensor,
    start: Tensor,
    betas: Tensor,
    step_sizes: Tensor,
    annealing: Annealing,
    generator: torch.Generator,
) -> Iterator[RunningAnnealing]:
    """Move chains through rising or falling temperatures, with step sizes (T + 1, B)."""
    running = RunningAnnealing(start, betas)
    for beta, step_size in zip(betas[1:].tolist(), step_sizes[1:], strict=True):
        likelihood = state_at(lambda z: model.log_likelihood(x, z), running.z)
        running.weigh(beta, likelihood.log_prob)
        if running.done < running.total:  # no weight follows the last temperature
            here = _tempered_state(model, likelihood, beta)
            density = tempered(model, x, beta)
            state, acceptance = transition(
                density, here, step_size, annealing.leapfrog_steps, generator
            )
            running.move(state.z, acceptance)
        yield copy.copy(running)


def _tempered_state(model: VAE, likelihood: ChainState, beta: float) -> ChainState:
    """State of the chains under the tempered density, from log p(x|z) and its gradient."""
    prior = state_at(model.log_prior, likelihood.z)
    return ChainState(
        likelihood.z,
        prior.log_prob + beta * likelihood.log_prob,
        prior.gradient + beta * likelihood.gradient,
    )


def _tuned(
    model: VAE, x: Tensor, annealing: Annealing, generator: torch.Generator, before: S
) -> Generator[S, None, Tensor]:
    """Find the step sizes, (T + 1, B); yield the state ``before`` the annealing meanwhile."""
    betas = sigmoid_schedule(min(PILOT_TEMPERATURES, annealing.temperatures))
    steps = tune_steps(model, x, betas, annealing.temperatures, annealing.leapfrog_steps, generator)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        yield before


def _waiting(model: VAE, x: Tensor, annealing: Annealing) -> RunningAnnealing:
    """The state before the first temperature."""
    z = x.new_zeros(annealing.chains, len(x), model.config.latent_size)
    return RunningAnnealing(z, sigmoid_schedule(annealing.temperatures))


def _groups(model: VAE, x: Tensor, annealing: Annealing) -> list[slice]:
    """Split the images into groups whose chains fit into memory together."""
    size = max(1, rows_at_once(model) // (_GRAPH * annealing.chains))
    return [slice(start, start + size) for start in range(0, len(x), size)]


def _no_bound() -> AnnealedDensity:
    """Return the empty result, for zero images."""
    none = torch.empty(0, dtype=torch.float64)
    return AnnealedDensity(none, none, none, none)


def _part_of(on_progress: OnProgress | None, done: int, total: int) -> OnProgress:
    """Make the progress callback of one group, when ``done`` of ``total`` groups are done."""

    def report(share: float) -> None:
        if on_progress is not None:
            on_progress((done + share) / total)

    return report

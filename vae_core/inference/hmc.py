"""Hamiltonian Monte Carlo on any batched log density (Neal 2011, arXiv 1206.1901).

Axis order: (n, B, d) — chains, images, latent dimensions. Every image has its own step size, so
easy images do not wait for hard ones. Log densities are in nats and need no normalisation.
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument
from vae_core.model.vae import VAE

LogProb = Callable[[Tensor], Tensor]  # z (n, B, d) -> (n, B)

TARGET_ACCEPTANCE = 0.75
_FIRST_STEP = 0.1
_JITTER = 0.2  # paths of equal length can return to their start (Neal 2011, §3.2)


@dataclass(frozen=True)
class ChainState:
    """Positions of the chains, with the density there.

    Attributes:
        z: positions, (n, B, d).
        log_prob: log density at z, (n, B), in nats.
        gradient: gradient of the log density with respect to z, (n, B, d).
    """

    z: Tensor
    log_prob: Tensor
    gradient: Tensor


def state_at(log_prob: LogProb, z: Tensor) -> ChainState:
    """Compute the log density and its gradient at z (n, B, d), by automatic differentiation."""
    z = z.detach().requires_grad_()
    with torch.enable_grad():
        value = log_prob(z)
        (gradient,) = torch.autograd.grad(value.sum(), z)
    return ChainState(z.detach(), value.detach(), gradient)


@torch.no_grad()
def transition(
    log_prob: LogProb,
    start: ChainState,
    step_size: Tensor,
    leapfrog_steps: int,
    generator: torch.Generator | None = None,
) -> tuple[ChainState, Tensor]:
    """Make one step of each chain: new momentum, a leapfrog path, the Metropolis test.

    The step leaves exp(log_prob) invariant and is reversible, as annealing needs. The step length
    of each path is random, within 20 % of the given step size. A path that ends where the density
    is NaN is rejected.

    Args:
        step_size: ε > 0 of each image, (B,).
        leapfrog_steps: number of steps of length ε in a path.

    Returns:
        The new state, and the acceptance probability of each path, (n, B).
    """
    momentum = _randn_like(start.z, generator)
    length = step_size * (1 + _JITTER * (2 * _rand_like(start.log_prob, generator) - 1))
    length = length[..., None]  # (n, B, 1)
    end, p = start, momentum
    for _ in range(leapfrog_steps):
        p = p + 0.5 * length * end.gradient
        end = state_at(log_prob, end.z + length * p)
        p = p + 0.5 * length * end.gradient
    gained = end.log_prob - start.log_prob - 0.5 * (p.square() - momentum.square()).sum(-1)
    acceptance = gained.nan_to_num(nan=-torch.inf, neginf=-torch.inf).clamp_max(0).exp()
    accepted = _rand_like(acceptance, generator) < acceptance
    state = ChainState(
        torch.where(accepted[..., None], end.z, start.z),
        torch.where(accepted, end.log_prob, start.log_prob),
        torch.where(accepted[..., None], end.gradient, start.gradient),
    )
    return state, acceptance


class StepSize:
    """A step size for each image that adapts to a target acceptance (Robbins & Monro 1951).

    log ε rises by m^(−0.6) · (mean acceptance − target) at the m-th update. The factor m^(−0.6)
    never falls below ``floor``, so that the step size can follow a density that changes. For a
    warm-up only: chains that adapt their step size have another invariant density.
    """

    def __init__(self, initial: Tensor, target: float = TARGET_ACCEPTANCE, floor: float = 0.0):
        self.value = initial
        self._target = target
        self._floor = floor
        self._updates = 0

    def update(self, acceptance: Tensor) -> None:
        """Adapt to the acceptance probabilities of one transition, (n, B)."""
        self._updates += 1
        rate = max(self._updates**-0.6, self._floor)
        self.value = self.value * (rate * (acceptance.mean(0) - self._target)).exp()


def split_r_hat(draws: Tensor) -> Tensor:
    """Split-R̂ (Gelman et al. 2013, *Bayesian Data Analysis*, §11.4), without rank-normalisation.

    Each chain is cut in two. R̂ compares the variance between the halves with the variance within
    them. If R̂ is near 1 (below 1.01: Vehtari et al. 2021), the chains agree; otherwise they have
    not mixed.

    Args:
        draws: (S, chains, …).

    Returns:
        R̂, of shape (…), float64. NaN for fewer than 4 draws, and if no chain ever moved.
    """
    half = len(draws) // 2
    if half < 2:
        return draws.new_full(draws.shape[2:], torch.nan, dtype=torch.float64)
    halves = torch.cat([draws[:half], draws[-half:]], 1).double()  # (S/2, 2 chains, …)
    within = halves.var(0, unbiased=True).mean(0)
    between = halves.mean(0).var(0, unbiased=True)
    return ((half - 1) / half + between / within).sqrt()


class RunningChains:
    """The chains so far. This object does not change; :meth:`after` returns a new one.

    Attributes:
        state: current state of the chains.
        step_size: ε of each image, (B,).
        transitions: number of transitions so far, including the warm-up.
        warmup: number of transitions that only tune the step size.
        most: total number of draws.
    """

    def __init__(self, state: ChainState, step_size: Tensor, warmup: int, most: int) -> None:
        self.state = state
        self.step_size = step_size
        self.transitions = 0
        self.warmup = warmup
        self.most = most
        self._draws = torch.empty(most, *state.z.shape, dtype=state.z.dtype)
        self._acceptance = torch.zeros(state.log_prob.shape, dtype=torch.float64)

    @property
    def share(self) -> float:
        """Share of the transitions that are done, 0 to 1, including the warm-up."""
        return self.transitions / (self.warmup + self.most)

    @property
    def draws(self) -> Tensor:
        """The draws since the warm-up, (S, chains, B, d), on the CPU."""
        return self._draws[: max(0, self.transitions - self.warmup)]

    @property
    def acceptance(self) -> Tensor:
        """Mean acceptance probability since the warm-up, (B,), float64; NaN before."""
        return self._acceptance.mean(0) / (len(self.draws) or torch.nan)

    def r_hat(self) -> Tensor:
        """:func:`split_r_hat` of the draws so far, (B, d)."""
        return split_r_hat(self.draws)

    def after(self, state: ChainState, acceptance: Tensor, step_size: Tensor) -> "RunningChains":
        """Return the chains after one more transition."""
        later = copy.copy(self)
        later.state, later.step_size = state, step_size
        later.transitions += 1
        kept = later.transitions - self.warmup
        if kept > 0:
            self._draws[kept - 1] = state.z.cpu()  # shared: each object reads only its own draws
            later._acceptance = self._acceptance + acceptance.cpu().double()
        return later


@torch.no_grad()
def hmc_steps(
    log_prob: LogProb,
    start: Tensor,
    draws: int = 1000,
    warmup: int = 500,
    leapfrog_steps: int = 10,
    target: float = TARGET_ACCEPTANCE,
    seed: int = 0,
) -> Iterator[RunningChains]:
    """Draw from a density with several chains for each image, in steps.

    Args:
        log_prob: maps z (n, B, d) to (n, B), up to a constant.
        start: first positions of the chains, (n, B, d).
        draws: S, the number of draws of each chain.
        warmup: number of discarded first transitions, which tune the step size.
        target: target acceptance probability.

    Yields:
        The chains after each transition.

    Raises:
        InvalidArgument: if a number is below 1.
    """
    if min(draws, warmup, leapfrog_steps) < 1:
        raise InvalidArgument("HMC needs at least one draw, one warm-up transition and one step.")
    generator = torch.Generator(start.device).manual_seed(seed)
    step = StepSize(start.new_full(start.shape[1:2], _FIRST_STEP), target)
    running = RunningChains(state_at(log_prob, start), step.value, warmup, draws)
    for count in range(warmup + draws):
        state, acceptance = transition(
            log_prob, running.state, step.value, leapfrog_steps, generator
        )
        if count < warmup:
            step.update(acceptance)
        running = running.after(state, acceptance, step.value)
        yield running


def posterior_steps(
    model: VAE,
    x: Tensor,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 500,
    leapfrog_steps: int = 10,
    seed: int = 0,
) -> Iterator[RunningChains]:
    """Draw from the true posterior p(z|x) ∝ p(x|z) p(z) of images x (B, C, H, W), in steps.

    The chains start from draws of q(z|x). If the posterior has several modes, the chains may miss
    modes that q does not reach. Chains in different modes give R̂ well above 1.

    Yields and raises:
        As :func:`hmc_steps`.
    """
    x = model.as_images(x)
    generator = torch.Generator(model.device).manual_seed(seed)
    with torch.no_grad():
        start, _ = model.posterior(x).rsample_and_log_prob(chains, generator)
    return hmc_steps(
        lambda z: model.log_joint(x, z), start, draws, warmup, leapfrog_steps, seed=seed + 1
    )


def _randn_like(value: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(value.shape, generator=generator, device=value.device, dtype=value.dtype)


def _rand_like(value: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(value.shape, generator=generator, device=value.device, dtype=value.dtype)

"""log p̂(x) by importance sampling with as many samples as a wanted standard error takes."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument
from vae_core.basics.seeding import generator_of
from vae_core.inference.importance import (
    LogDensity,
    RunningDensity,
    check_count,
    check_fits,
    sample_terms,
)
from vae_core.inference.pareto import TRUSTED_PARETO_K
from vae_core.model.batches import rows_at_once, samples_at_once
from vae_core.model.posteriors import Proposal
from vae_core.model.vae import VAE

FEWEST_SAMPLES = 1000
"""Before so many samples no standard error is believed."""


@dataclass(frozen=True)
class ReachedDensity:
    """What :func:`log_density_to` found for B images.

    Attributes:
        density: the estimates and their diagnostics, each with its own K.
        samples: K of each image, (B,) int.
        reached: whether the standard error asked for was reached, and can be believed, (B,) bool.
    """

    density: LogDensity
    samples: Tensor
    reached: Tensor


@torch.no_grad()
def log_density_to(
    model: VAE,
    x: Tensor,
    se: float,
    most: int = 100_000,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
    proposal: Proposal | None = None,
) -> ReachedDensity:
    """Estimate log p(x) to a standard error, or say for which images it was not reached.

    The delta-method standard error is itself made from the weights: where their tail is heavy it
    is too small, most of all before the largest weights have come. So it counts as reached only
    from 1000 samples on and with k̂ ≤ 0.7; sampling goes on until all three hold or ``most``
    samples are spent. An image gets just the samples that ``log_density`` gives it with that K and
    seed, and one that is done costs no more time. Stopping at the first good look favours lucky
    moments a little: a figure to quote is better made with a fixed K.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        se: the standard error wanted, nats.
        most: the largest K, 1 to 1,000,000; below 1000 nothing can be reached.
        on_progress: called with the share that is done, 0 to 1; it leaps as images are done early.
        proposal: as for ``log_density``; a refined one
            (:mod:`vae_core.inference.proposals`) needs far fewer
            samples.

    Raises:
        InvalidArgument: if se is not positive, most is out of range, or the images do not fit the
            model or the proposal.
    """
    check_count(most)
    check_fits(proposal, x)
    if not se > 0:
        raise InvalidArgument(f"The standard error asked for must be positive, not {se}.")
    result = _Table(len(x))
    group = max(1, rows_at_once(model) // min(most, samples_at_once(model)))
    for first in range(0, len(x), group):
        waiting = torch.arange(first, min(first + group, len(x)))
        q = model.posterior(x[waiting]) if proposal is None else proposal.rows(waiting)
        _sample_to(model, x, waiting, q, se, most, seed, result, on_progress)
    return ReachedDensity(LogDensity(*result.figures), result.samples, result.reached)


class _Table:
    """Results of all images, filled as they come."""

    def __init__(self, images: int) -> None:
        self.figures = torch.empty(len(fields(LogDensity)), images, dtype=torch.float64)
        self.samples = torch.zeros(images, dtype=torch.long)
        self.reached = torch.zeros(images, dtype=torch.bool)

    def enter(self, images: Tensor, running: RunningDensity, reached: Tensor) -> None:
        estimate = running.estimate()
        self.figures[:, images] = torch.stack([getattr(estimate, f.name) for f in fields(estimate)])
        self.samples[images] = running.samples
        self.reached[images] = reached

    def share(self, waiting: Tensor, done: float) -> float:
        """How much is done, where those that wait are done to some part."""
        return (int((self.samples > 0).sum()) + done * len(waiting)) / len(self.samples)


def _sample_to(
    model: VAE,
    x: Tensor,
    waiting: Tensor,
    q: Proposal,
    se: float,
    most: int,
    seed: int,
    result: _Table,
    on_progress: Callable[[float], None] | None,
) -> None:
    """Sample for the images ``waiting`` (indices into x) together, from q of these; each leaves
    when it is done."""
    generators = {i: generator_of(x[i], seed, model.device) for i in waiting.tolist()}
    running = RunningDensity(most)
    while len(waiting):
        count = min(samples_at_once(model), most - running.samples)
        own = [generators[i] for i in waiting.tolist()]
        terms = sample_terms(model, x[waiting], q, count, own)
        running.add(terms.joint_form, terms.log_px_z, terms.kl.expand_as(terms.log_px_z))
        reached = _reached(running, se)
        leaving = reached | (running.samples >= most)
        if leaving.any():
            result.enter(waiting[leaving], running.images(leaving), reached[leaving])
            waiting, running, q = waiting[~leaving], running.images(~leaving), q.rows(~leaving)
        if on_progress is not None:
            on_progress(result.share(waiting, running.samples / most))


def _reached(running: RunningDensity, se: float) -> Tensor:
    """Which images are done, (B,) bool."""
    reached = running.se <= se
    if running.samples < FEWEST_SAMPLES or not reached.any():
        return torch.zeros_like(reached)
    return reached & (running.estimate().pareto_k <= TRUSTED_PARETO_K)  # NaN is not

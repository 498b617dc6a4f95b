"""Estimates of log p(x) by importance sampling, with their own diagnostics.

log p̂(x) = logsumexp_k log w_k − log K (note §2; Rezende et al. 2014; Burda et al. 2016). It is a
lower bound in expectation that rises with K. Everything is streamed: memory does not grow with K.
"""

import copy
import math
import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import SupportsIndex

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument
from vae_core.basics.seeding import generator_of
from vae_core.inference.batch_error import BatchSums
from vae_core.inference.elbo import ElboTerms, terms_at
from vae_core.inference.pareto import pareto_k, tail_length, trusted
from vae_core.model.batches import FLOATS_AT_ONCE, rows_at_once, samples_at_once
from vae_core.model.posteriors import Proposal
from vae_core.model.vae import VAE
from vae_core.settings.options import MAX_IMPORTANCE_SAMPLES

FEWEST_SAMPLES = 1000
"""Smallest number of samples for a reliable standard error."""
_ENCODE_AT_ONCE = 256
_NEARLY_EQUAL = 0.9  # smallest ESS / K of weights that are nearly equal
_FINITE_VARIANCE = 0.5  # largest k̂ of a tail with a finite variance
_WIDER = 1.25  # the error that is stated, of unequal weights


@dataclass(frozen=True)
class LogDensity:
    """log p̂(x) of B images with diagnostics; every attribute is (B,), float64, in nats.

    Attributes:
        log_px: logsumexp_k log w_k − log K.
        se: standard error of ``log_px``: the larger of the delta method's, sqrt(Σ w̃_k² − 1/K), and
            that of eight batches of the draws (from K = 16 on). It is a quarter larger if the
            weights are unequal (ESS below 90 % of K): the errors are skewed, because the draws lack
            what none of them fell into, and with this ± 2 se holds 95 % of the trusted estimates
            (tests/benchmarks/README.md). NaN where it is not known, because the estimate is not
            ``trusted``: if a few draws carry the weight, the formula gives about 1 nat, however
            wrong ``log_px`` is.
        ess: effective sample size 1/Σ w̃_k², between 1 and K.
        pareto_k: shape of the weights' tail. −inf if all weights are equal, inf if fewer than five
            weights do not underflow beside the largest, NaN if K is too small (below 21). At most
            0.5 for an ESS of 90 % of K or more: the shape of so small differences is no tail.
        elbo: the mean of log w_k, note eq. (3).
        expected_log_likelihood: the mean of log p(x|z_k).
        kl: KL(q ‖ p), in closed form if the family has one.
        samples: K.
    """

    log_px: Tensor
    se: Tensor
    ess: Tensor
    pareto_k: Tensor
    elbo: Tensor
    expected_log_likelihood: Tensor
    kl: Tensor
    samples: Tensor

    @property
    def trusted(self) -> Tensor:
        """Whether ``log_px`` and its error can be trusted, (B,) bool.

        See :func:`vae_core.inference.pareto.trusted`.
        """
        return ~self.se.isnan()

    def bits_per_dim(self, pixels: int) -> Tensor:
        """−log₂ p̂(x) / D, (B,)."""
        return -self.log_px / (pixels * math.log(2))


@dataclass(frozen=True)
class ReachedDensity:
    """Result of :func:`log_density_to` for B images.

    Attributes:
        density: the estimates and their diagnostics, each with its own K.
        samples: K of each image, (B,) int.
        reached: whether the wanted standard error was reached and is reliable, (B,) bool.
    """

    density: LogDensity
    samples: Tensor
    reached: Tensor


def log_density(
    model: VAE,
    x: Tensor,
    n: int,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
    proposal: Proposal | None = None,
) -> LogDensity:
    """Estimate log p(x) with K = ``n`` importance samples for each image.

    The noise of an image depends only on the seed and the image, so an image gets the same score
    whatever else is in the batch.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        n: K, 1 to 1,000,000. The decoder's activations take about 8 MB (on a GPU 256 MB) for all
            K and B.
        on_progress: called with the share of the work that is done, 0 to 1.
        proposal: the distribution of z for the same images, for example from
            :func:`vae_core.inference.proposals.refine`; the encoder's q(z|x) if None. ``elbo`` and
            ``kl`` belong to this distribution.

    Raises:
        InvalidArgument: if n is out of range, the images do not have the model's shape, or the
            proposal was made for another number of images.
    """
    return sample_density(model, x, n, None, seed, on_progress, proposal).density


def log_density_to(
    model: VAE,
    x: Tensor,
    se: float,
    most: int = 100_000,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
    proposal: Proposal | None = None,
) -> ReachedDensity:
    """Estimate log p(x) to a wanted standard error, or report the images that missed it.

    The delta-method standard error is computed from the weights. If their tail is heavy, it is too
    small, especially before the largest weights were drawn. So it counts as reached only from 1000
    samples on and if the estimate can be trusted, by k̂ and an effective sample size of at least 30.
    Sampling continues until these conditions hold or ``most`` samples are used. An image gets the
    same samples as from ``log_density`` with that K and seed, and a finished image costs no more
    time. Because sampling stops at the first good moment, the result is slightly biased: for a
    figure to quote, use a fixed K.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        se: the wanted standard error, nats.
        most: the largest K, 1 to 1,000,000; below 1000 no image can reach the standard error.
        on_progress: called with the share of the work that is done, 0 to 1; it jumps when images
            finish early.
        proposal: as for :func:`log_density`; a refined one
            (:mod:`vae_core.inference.proposals`) needs far fewer samples.

    Raises:
        InvalidArgument: if se is not positive, most is out of range, or the images do not fit the
            model or the proposal.
    """
    return sample_density(model, x, most, se, seed, on_progress, proposal)


@torch.no_grad()
def sample_density(
    model: VAE,
    x: Tensor,
    most: int,
    se: float | None = None,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
    proposal: Proposal | None = None,
) -> ReachedDensity:
    """Estimate log p(x): :func:`log_density_to`, or :func:`log_density` if ``se`` is None.

    If ``se`` is None, every image gets ``most`` samples, and no image counts as reached.

    Raises:
        InvalidArgument: as for these functions.
    """
    most = check_count(most)
    x = model.as_images(x)
    check_fits(proposal, x)
    if se is not None and not se > 0:
        raise InvalidArgument(f"The wanted standard error must be positive, not {se}.")
    result = _Results(len(x))
    group = max(1, rows_at_once(model) // min(most, samples_at_once(model)))
    encode = min(_ENCODE_AT_ONCE, max(1, FLOATS_AT_ONCE // model.config.latent_size**2))
    for start in range(0, len(x), encode):
        block = torch.arange(start, min(start + encode, len(x)))
        q = model.posterior(x[block]) if proposal is None else proposal.rows(block)
        for chosen in torch.arange(len(block)).split(group):
            own = q.rows(chosen)
            for share in _sample_group(model, x, block[chosen], own, most, se, seed, result):
                if on_progress is not None:
                    on_progress(share)
    return result.table()


class _Results:
    """Table of the results of all images, filled as they come.

    One table is used because small tensors of each group would keep the memory fragmented.
    """

    def __init__(self, images: int) -> None:
        self._figures = torch.empty(len(fields(LogDensity)), images, dtype=torch.float64)
        self._samples = torch.zeros(images, dtype=torch.long)
        self._reached = torch.zeros(images, dtype=torch.bool)

    def enter(self, images: Tensor, running: "RunningDensity", reached: Tensor) -> None:
        estimate = running.estimate()
        columns = torch.stack([getattr(estimate, f.name) for f in fields(estimate)])
        self._figures[:, images] = columns
        self._samples[images] = running.samples
        self._reached[images] = reached

    def share(self, waiting: Tensor, done: float) -> float:
        """Share of the work that is done, if the images ``waiting`` are partly done."""
        return (int((self._samples > 0).sum()) + done * len(waiting)) / len(self._samples)

    def table(self) -> ReachedDensity:
        return ReachedDensity(LogDensity(*self._figures), self._samples, self._reached)


def _sample_group(
    model: VAE,
    x: Tensor,
    waiting: Tensor,
    q: Proposal,
    most: int,
    se: float | None,
    seed: int,
    result: _Results,
) -> Iterator[float]:
    """Sample for the images ``waiting`` (indices into x) together, from their proposals q.

    An image leaves the group when it is done. Yields the share of all images done, 0 to 1.
    """
    generators = {i: generator_of(x[i], seed, model.device) for i in waiting.tolist()}
    running = RunningDensity(most, q.found_modes)
    while len(waiting):
        count = min(samples_at_once(model), most - running.samples)
        own = [generators[i] for i in waiting.tolist()]
        terms = sample_terms(model, x[waiting], q, count, own)
        running.add(terms.joint_form, terms.log_px_z, terms.kl.expand_as(terms.log_px_z))
        reached = _reached(running, se, len(waiting))
        leaving = reached | (running.samples >= most)
        if leaving.any():
            result.enter(waiting[leaving], running.images(leaving), reached[leaving])
            waiting, running, q = waiting[~leaving], running.images(~leaving), q.rows(~leaving)
        yield result.share(waiting, running.samples / most)


def _reached(running: "RunningDensity", se: float | None, images: int) -> Tensor:
    """Mask of the images that have reached the standard error ``se``, (B,); empty for None."""
    if se is None or running.samples < FEWEST_SAMPLES or not (running.delta_se <= se).any():
        return torch.zeros(images, dtype=torch.bool)
    return running.estimate().se <= se  # False for NaN


def check_fits(proposal: Proposal | None, x: Tensor) -> None:
    """Check that the proposal was made for as many images as x contains.

    Raises:
        InvalidArgument: otherwise.
    """
    if proposal is not None and proposal.batch_size != len(x):
        raise InvalidArgument(
            f"The proposal was made for {proposal.batch_size} images, not for {len(x)}."
        )


def check_count(n: int) -> int:
    """Return n, also a NumPy integer, as a number of importance samples.

    Raises:
        InvalidArgument: if n is out of range or no whole number.
    """
    if not isinstance(n, SupportsIndex) or not 1 <= n <= MAX_IMPORTANCE_SAMPLES:
        raise InvalidArgument(
            "The number of importance samples must be a whole number, "
            f"1 to {MAX_IMPORTANCE_SAMPLES:,}, not {n}."
        )
    return operator.index(n)


@torch.no_grad()
def log_density_steps(
    model: VAE,
    x: Tensor,
    n: int,
    seed: int = 0,
    stops: Collection[int] = (),
    proposal: Proposal | None = None,
) -> Iterator["RunningDensity"]:
    """Estimate log p(x) of a few images while the number of samples grows from 1 to K = ``n``.

    Args:
        x: images, (B, C, H, W) in [0, 1], all of them in memory at once.
        stops: numbers of samples to yield at, besides the end of every chunk.
        proposal: as for :func:`log_density`.

    Yields:
        The estimate after each chunk of samples. The last one has all n samples and equals the
        result of :func:`log_density`.

    Raises:
        InvalidArgument: as :func:`log_density` does.
    """
    n = check_count(n)
    x = model.as_images(x)
    check_fits(proposal, x)
    q = proposal or model.posterior(x)
    generators = [generator_of(image, seed, model.device) for image in x]
    running = RunningDensity(n, q.found_modes)
    block = samples_at_once(model)
    for start in range(0, n, block):
        count = min(block, n - start)
        terms = sample_terms(model, x, q, count, generators)
        kl = terms.kl.expand_as(terms.log_px_z)
        cuts = sorted({0, count, *(s - start for s in stops if 0 < s - start < count)})
        for part in map(slice, cuts, cuts[1:]):
            running.add(terms.joint_form[part], terms.log_px_z[part], kl[part])
            yield copy.copy(running)


def sample_terms(
    model: VAE, x: Tensor, q: Proposal, count: int, generators: Sequence[torch.Generator]
) -> ElboTerms:
    """Draw ``count`` more samples for each image, with its own generator, and evaluate them."""
    noise = [q.rows(slice(i, i + 1)).noise(count, g) for i, g in enumerate(generators)]
    path = q.path(torch.cat(noise, 1))
    at_once = max(1, rows_at_once(model) // len(x))
    return terms_at(model, x, q, path, path.z, path.log_q, at_once)


class RunningDensity:
    """The estimate from the importance samples so far, for B images: streaming sums and a tail."""

    def __init__(self, most: int, modes: Tensor | None = None) -> None:
        """Begin without samples.

        Args:
            most: K at the end.
            modes: how many modes the proposal has for each image, (B,), if that is known.
        """
        self.samples, self.most = 0, most
        self._modes = None if modes is None else modes.cpu()
        self._keep = tail_length(most) + 1
        self._log_sums: list[Tensor] = []  # log Σ w and log Σ w²
        self._sums: list[Tensor] = []  # sums of log w, log p(x|z) and KL
        self._tail = torch.empty(0)
        self._batches = BatchSums(torch.empty(0))

    def add(self, log_w: Tensor, log_px_z: Tensor, kl: Tensor) -> None:
        """Add samples: log w, log p(x|z) and KL, (n, B) each."""
        if log_w.device.type == "mps":  # Apple GPUs have no float64
            log_w, log_px_z, kl = log_w.cpu(), log_px_z.cpu(), kl.cpu()
        log_w = log_w.double()
        self._batches = self._batches.and_more(log_w)
        self.samples += len(log_w)
        log_sums = [log_w.logsumexp(0), (2 * log_w).logsumexp(0)]
        sums = [values.double().sum(0) for values in (log_w, log_px_z, kl)]
        if not self._sums:
            self._log_sums, self._sums, self._tail = log_sums, sums, self._largest(log_w)
            return
        self._log_sums = list(map(torch.logaddexp, self._log_sums, log_sums))
        self._sums = [a + b for a, b in zip(self._sums, sums, strict=True)]
        self._tail = self._largest(torch.cat([self._tail, log_w]))

    def _largest(self, log_w: Tensor) -> Tensor:
        return log_w.topk(min(self._keep, len(log_w)), dim=0).values

    def images(self, chosen: Tensor) -> "RunningDensity":
        """Return a copy for some of the images, given by a mask or indices."""
        rest = copy.copy(self)
        chosen = chosen.to(self._tail.device)
        rest._log_sums = [total[chosen] for total in self._log_sums]
        rest._sums = [total[chosen] for total in self._sums]
        rest._tail, rest._batches = self._tail[:, chosen], self._batches.images(chosen)
        rest._modes = None if self._modes is None else self._modes[chosen.cpu()]
        return rest

    @property
    def share(self) -> float:
        """Share of the samples that are drawn, 0 to 1."""
        return self.samples / self.most

    @property
    def log_px(self) -> Tensor:
        """log p̂(x) so far, (B,), in nats."""
        return self._log_sums[0].cpu() - math.log(self.samples)

    @property
    def delta_se(self) -> Tensor:
        """Standard error of log p̂(x) so far by the delta method, trusted or not, (B,), in nats."""
        return (self._sum_of_squares().cpu() - 1 / self.samples).clamp_min(0).sqrt()

    def _sum_of_squares(self) -> Tensor:
        """Σ w̃² of the normalised weights, (B,)."""
        log_sum, log_sum_squares = self._log_sums
        return (log_sum_squares - 2 * log_sum).exp()

    def estimate(self) -> LogDensity:
        """Compute the estimate so far with all diagnostics."""
        elbo, expected_log_likelihood, kl = (total.cpu() / self.samples for total in self._sums)
        ess = 1 / self._sum_of_squares().cpu()
        k = pareto_k(self._tail[: tail_length(self.samples) + 1])
        k = torch.where(ess >= _NEARLY_EQUAL * self.samples, k.clamp_max(_FINITE_VARIANCE), k)
        se = torch.maximum(self.delta_se, self._batches.se(self._log_sums[0]).cpu())
        se = torch.where(ess >= _NEARLY_EQUAL * self.samples, se, _WIDER * se)
        return LogDensity(
            log_px=self.log_px,
            se=torch.where(trusted(k, ess, self.samples, self._modes), se, torch.nan),
            ess=ess,
            pareto_k=k,
            elbo=elbo,
            expected_log_likelihood=expected_log_likelihood,
            kl=kl,
            samples=torch.full_like(ess, self.samples),
        )

"""Estimates of log p(x) by importance sampling from q(z|x), with their own diagnostics.

log p̂(x) = logsumexp_k log w_k − log K (note §2; Rezende et al. 2014; Burda et al. 2016). It is a
lower bound in expectation that rises with K. Everything is streamed: memory does not grow with K.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vae_core.config import MAX_IMPORTANCE_SAMPLES
from vae_core.objectives import elbo_terms_at
from vae_core.pareto import pareto_k, tail_length
from vae_core.posteriors import Posterior
from vae_core.vae import VAE

_FLOATS_AT_ONCE = 16_000_000  # 64 MB of activations: the memory bound of one chunk
_MOST_SAMPLES_AT_ONCE = 1000  # of one image
_ENCODE_AT_ONCE = 256


@dataclass(frozen=True)
class LogDensity:
    """log p̂(x) for B images and how far to trust it; every attribute is (B,), float64, in nats.

    Attributes:
        log_px: logsumexp_k log w_k − log K.
        se: its standard error by the delta method, sqrt(Σ w̃_k² − 1/K).
        ess: effective sample size 1/Σ w̃_k², between 1 and K.
        pareto_k: shape of the weights' tail; above 0.7, do not trust ``log_px``. −inf where all
            weights are equal, NaN where K is too small to tell (below 25).
        elbo: the mean of log w_k, note eq. (3).
        expected_log_likelihood: the mean of log p(x|z_k).
        kl: KL(q ‖ p), in closed form where the family has one.
    """

    log_px: Tensor
    se: Tensor
    ess: Tensor
    pareto_k: Tensor
    elbo: Tensor
    expected_log_likelihood: Tensor
    kl: Tensor

    def bits_per_dim(self, pixels: int) -> Tensor:
        """−log₂ p̂(x) / D, (B,)."""
        return -self.log_px / (pixels * math.log(2))


@torch.no_grad()
def log_density(
    model: VAE,
    x: Tensor,
    n: int,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> LogDensity:
    """Estimate log p(x) with K = ``n`` importance samples for each image.

    The noise of an image follows from the seed and the image alone, so the same image gets the
    same score whatever it is scored with.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        n: K, 1 to 1,000,000. Memory is bounded by about 64 MB whatever K and B are.
        on_progress: called with the share that is done, 0 to 1.

    Raises:
        ValueError: if n is out of range or the images are not of the model's shape.
    """
    if not 1 <= n <= MAX_IMPORTANCE_SAMPLES:
        raise ValueError(
            f"The number of importance samples must be 1 to {MAX_IMPORTANCE_SAMPLES:,}, not {n}."
        )
    parts = []
    for start in range(0, len(x), _ENCODE_AT_ONCE):
        block = x[start : start + _ENCODE_AT_ONCE]
        q = model.posterior(block)
        group = max(1, _rows_at_once(model) // min(n, _samples_at_once(model)))
        for first in range(0, len(block), group):
            chosen = slice(first, first + group)
            report = _progress_of_group(on_progress, start + first, len(block[chosen]), len(x))
            parts.append(_score_group(model, block[chosen], q.rows(chosen), n, seed, report))
    if not parts:
        return LogDensity(*(torch.empty(0, dtype=torch.float64) for _ in fields(LogDensity)))
    return LogDensity(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(LogDensity)))


def _rows_at_once(model: VAE) -> int:
    return max(1, _FLOATS_AT_ONCE // model.decoder.row_floats)


def _samples_at_once(model: VAE) -> int:
    """Depends on the model alone, so that a score does not depend on what is scored with it."""
    return min(_MOST_SAMPLES_AT_ONCE, _rows_at_once(model))


def _progress_of_group(
    on_progress: Callable[[float], None] | None, done: int, images: int, total: int
) -> Callable[[float], None]:
    def report(share: float) -> None:
        if on_progress is not None:
            on_progress((done + share * images) / total)

    return report


def _score_group(
    model: VAE, x: Tensor, q: Posterior, n: int, seed: int, report: Callable[[float], None]
) -> LogDensity:
    generators = [_generator_of(image, seed, model.device) for image in x]
    total = _RunningWeights(n)
    block = _samples_at_once(model)
    for start in range(0, n, block):
        count = min(block, n - start)
        noise = [_noise(count, model, x.dtype, g) for g in generators]
        terms = elbo_terms_at(model, x, q, torch.stack(noise, 1))
        total.add(terms.joint_form, terms.log_px_z, terms.kl)
        report((start + count) / n)
    return total.result()


def _noise(count: int, model: VAE, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    size = model.config.latent_size
    return torch.randn(count, size, dtype=dtype, device=model.device, generator=generator)


def _generator_of(image: Tensor, seed: int, device: torch.device) -> torch.Generator:
    content = zlib.crc32(image.float().cpu().numpy().tobytes())
    return torch.Generator(device).manual_seed((seed << 32) + content)


class _RunningWeights:
    """Streaming sums over the importance weights of a group of images."""

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.keep = tail_length(samples) + 1
        self.log_sums: list[Tensor] = []  # of w, then of w²
        self.means: list[Tensor] = []  # of log w, log p(x|z), KL
        self.tail = torch.empty(0)

    def add(self, log_w: Tensor, log_px_z: Tensor, kl: Tensor) -> None:
        if log_w.device.type == "mps":  # which has no float64
            log_w, log_px_z, kl = log_w.cpu(), log_px_z.cpu(), kl.cpu()
        log_w = log_w.double()
        share = len(log_w) / self.samples
        log_sums = [log_w.logsumexp(0), (2 * log_w).logsumexp(0)]
        means = [share * values.double().mean(0) for values in (log_w, log_px_z, kl)]
        if not self.log_sums:
            self.log_sums, self.means, self.tail = log_sums, means, self._largest(log_w)
            return
        self.log_sums = list(map(torch.logaddexp, self.log_sums, log_sums))
        self.means = [a + b for a, b in zip(self.means, means, strict=True)]
        self.tail = self._largest(torch.cat([self.tail, log_w]))

    def _largest(self, log_w: Tensor) -> Tensor:
        return log_w.topk(min(self.keep, len(log_w)), dim=0).values

    def result(self) -> LogDensity:
        log_sum, log_sum_squares = self.log_sums
        squares = (log_sum_squares - 2 * log_sum).exp()  # Σ w̃²
        elbo, expected_log_likelihood, kl = self.means
        values = LogDensity(
            log_px=log_sum - math.log(self.samples),
            se=(squares - 1 / self.samples).clamp_min(0).sqrt(),
            ess=1 / squares,
            pareto_k=pareto_k(self.tail),
            elbo=elbo,
            expected_log_likelihood=expected_log_likelihood,
            kl=kl,
        )
        return LogDensity(*(getattr(values, f.name).cpu() for f in fields(LogDensity)))

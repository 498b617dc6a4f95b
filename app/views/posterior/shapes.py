"""Arrays for the pictures of q(z|x) and its flow steps, and the importance weights.

Works for every family of q: the shape is computed from where the noise goes. The map from ε to z is
invertible, so the mapped circle ‖ε‖ = r contains the mass 1 − exp(−r²/2) of q.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vae_core.basics.arrays import Floats
from vae_core.basics.seeding import generator_of
from vae_core.inference.elbo import monte_carlo
from vae_core.inference.gap import fresh_noise
from vae_core.inference.importance import LogDensity, RunningDensity, sample_terms
from vae_core.model.batches import samples_at_once
from vae_core.model.posteriors import Path, Posterior
from vae_core.model.vae import VAE

RADII = (1.0, 2.0)
MASSES = tuple(1 - math.exp(-(r**2) / 2) for r in RADII)
"""Mass of q inside each circle: 39% and 86%."""
DRAWS = 600
_CIRCLE = 145
_LINE = 401  # points of a density on a line
_REACH = 4.0


@dataclass(frozen=True)
class Shape:
    """q(z|x) of one image.

    Attributes:
        draws: (n, d).
        curves: for d = 2, the images of the circles of ``RADII``, (m, 2) each.
        line: for d = 1, values of z and q(z|x) at them, (n,) each.
    """

    draws: Floats
    curves: tuple[Floats, ...] = ()
    line: tuple[Floats, Floats] | None = None


@torch.no_grad()
def shape_of(model: VAE, x: Tensor, q: Posterior, seed: int) -> Shape:
    """Compute the shape of q(z|x) for one image x (1, C, H, W)."""
    draws = draws_of(model, x, q, DRAWS, seed)
    if model.config.latent_size == 1:
        epsilon = torch.linspace(-_REACH, _REACH, _LINE, dtype=x.dtype, device=x.device)
        path = q.path(epsilon[:, None, None])
        z, density = _rows(path.z)[:, 0], np.exp(_rows(path.log_q))
        order = np.argsort(z)
        return Shape(draws, line=(z[order], density[order]))
    if model.config.latent_size == 2:
        path = q.path(_circles(x))
        return Shape(draws, curves=tuple(np.split(_rows(path.z), len(RADII))))
    return Shape(draws)


@torch.no_grad()
def draws_of(model: VAE, x: Tensor, q: Posterior, n: int, seed: int) -> Floats:
    """n draws of q(z|x) for one image x (1, C, H, W), (n, d)."""
    return _rows(q.path(fresh_noise(model, x, n, seed)).z)


def _circles(x: Tensor) -> Tensor:
    """Noise on the circles of ``RADII``, one circle after the other, (n, 1, 2)."""
    angle = torch.linspace(0, 2 * math.pi, _CIRCLE, dtype=x.dtype, device=x.device)
    circle = torch.stack([angle.cos(), angle.sin()], -1)
    return torch.cat([r * circle for r in RADII])[:, None]


@dataclass(frozen=True)
class Steps:
    """The stages of a flow.

    Attributes:
        points: z_0, …, z_T of the same draws, (T + 1, n, d).
        curves: for d = 2, the images of the circles of ``RADII`` at each stage.
        log_abs_dets: log |det ∂z_t/∂z_{t−1}| of each draw, (T, n), in nats.
    """

    points: Floats
    curves: tuple[tuple[Floats, ...], ...]
    log_abs_dets: Floats


@torch.no_grad()
def steps_of(model: VAE, x: Tensor, seed: int) -> Steps:
    """Follow some draws through the flow steps of q(z|x), for one image x (1, C, H, W)."""
    q = model.posterior(x)
    path = q.path(fresh_noise(model, x, DRAWS, seed))
    curves: tuple[tuple[Floats, ...], ...] = ()
    if model.config.latent_size == 2:
        rings: Path = q.path(_circles(x))
        curves = tuple(tuple(np.split(_rows(each), len(RADII))) for each in rings.points)
    points = np.stack([_rows(each) for each in path.points])
    dets = [_rows(each) for each in path.log_abs_dets]
    return Steps(points, curves, np.stack(dets) if dets else np.zeros((0, DRAWS)))


@dataclass(frozen=True)
class Weights:
    """log w = log p(x, z) − log q(z|x) at draws of q(z|x), the basis of all estimates.

    Attributes:
        log_w: values drawn so far, (n,), float64, in nats.
        most: K, the final number of draws.
    """

    log_w: Floats
    most: int

    @property
    def share(self) -> float:
        """Share of the draws that is done, 0 to 1."""
        return len(self.log_w) / self.most

    @cached_property
    def estimate(self) -> LogDensity:
        """log p̂(x) from all draws, with error, ESS and k̂, the same as from ``log_density``."""
        running = RunningDensity(self.most)
        log_w = torch.from_numpy(self.log_w)[:, None]
        running.add(log_w, torch.zeros_like(log_w), torch.zeros_like(log_w))
        return running.estimate()

    @cached_property
    def elbo(self) -> tuple[float, float]:
        """Mean of log w and its standard error."""
        mean, se = monte_carlo(torch.from_numpy(self.log_w)[:, None])
        return float(mean), float(se)

    @cached_property
    def log_px(self) -> tuple[float, float]:
        """log p̂(x) from all draws and its standard error."""
        return float(self.estimate.log_px), float(self.estimate.se)

    @property
    def ess(self) -> float:
        """Effective sample size, 1 to n."""
        return float(self.estimate.ess)

    @property
    def pareto_k(self) -> float:
        """Shape of the tail of the weights."""
        return float(self.estimate.pareto_k)

    @cached_property
    def normalised(self) -> Floats:
        """w / Σ w, the largest first, (n,)."""
        weights = np.exp(np.sort(self.log_w)[::-1] - self.log_w.max())
        return weights / weights.sum()

    @cached_property
    def curve(self) -> tuple[Floats, Floats, Floats]:
        """The IWAE bound E log (1/K) Σ_k w_k against K: K, estimate and standard error."""
        return iwae_curve(self.log_w)


_FEWEST_GROUPS = 8  # smallest number of groups for a standard error


def iwae_curve(log_w: Floats) -> tuple[Floats, Floats, Floats]:
    """IWAE bounds (Burda et al. 2016) with K = 1, 2, 4, … samples from log w (n,).

    All n weights are used for each K, in n/K groups; the error is the standard error of the mean
    over groups. With fewer than 8 groups, it is the error of log p̂(x) from all weights, by the
    delta method.

    Returns:
        K, the bounds and their standard errors, float64, in nats; the last K is n.
    """
    n = len(log_w)
    counts = [2**i for i in range(int(math.log2(n)) + 1)]
    counts += [n] if counts[-1] != n else []
    bounds, errors = [], []
    for count in counts:
        groups = log_w[: n // count * count].reshape(-1, count)
        top = groups.max(1, keepdims=True)
        values = (top + np.log(np.exp(groups - top).mean(1, keepdims=True)))[:, 0]
        bounds.append(values.mean())
        if len(values) >= _FEWEST_GROUPS:
            errors.append(values.std(ddof=1) / math.sqrt(len(values)))
        else:
            share = np.exp(log_w - log_w.max())
            share /= share.sum()
            errors.append(math.sqrt(max(0.0, float((share**2).sum()) - 1 / n)))
    return np.array(counts, dtype=float), np.array(bounds), np.array(errors)


@torch.no_grad()
def stream_weights(model: VAE, x: Tensor, most: int, seed: int) -> Iterator[Weights]:
    """Yield log w at K = ``most`` draws, the same draws as in ``log_density`` with that seed."""
    q, generators = model.posterior(x), [generator_of(x[0], seed, model.device)]
    log_w = np.empty(most)
    done, block = 0, samples_at_once(model)
    while done < most:
        count = min(block, most - done)
        terms = sample_terms(model, x, q, count, generators)
        log_w[done : done + count] = _rows(terms.joint_form)
        done += count
        yield Weights(log_w[:done].copy(), most)


def _rows(values: Tensor) -> Floats:
    """Convert values (n, 1, …) of one image to float64 (n, …) on the CPU."""
    return values[:, 0].cpu().double().numpy()

"""All numbers of the Start page: one image goes through a model.

Works for every family of q(z|x): the Gaussian base is computed from where the noise goes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.figures.prior import Prior
from app.services.walk_samples import IMPORTANCE_SAMPLES, MAX_SAMPLES
from vae_core.analysis.latent import decode
from vae_core.basics.arrays import Floats
from vae_core.basics.errors import InvalidArgument
from vae_core.inference.elbo import ElboTerms, elbo_terms_at, monte_carlo
from vae_core.inference.importance import log_density
from vae_core.model.batches import rows_at_once
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE

REFERENCE_SEED = 0
_REFERENCE_DRAWS = 256
_RING_POINTS = 97


@dataclass(frozen=True)
class Estimate:
    """A Monte Carlo mean and its standard error, in nats. The error of a single draw is NaN."""

    mean: float
    se: float


@dataclass(frozen=True)
class Walk:
    """L draws of ε for one image, and the values computed from each. Log-probabilities in nats.

    Attributes:
        epsilon: (L, d).
        points: z_0, …, z_T of every draw, (T + 1, L, d); z_T is z.
        log_abs_dets: log |det ∂z_t/∂z_{t−1}|, (T, L).
        log_q0: log density of z_0 under the Gaussian base, (L,).
        log_px_z, log_pz, log_qz: the three terms, (L,).
        p: E[x|z] at the first draw, (C, H, W) in [0, 1].
        joint_form: the ELBO by note eq. (3).
        kl_form: the ELBO by note eq. (4).
        kl: KL(q(z|x) ‖ p(z)) as used in eq. (4).
    """

    epsilon: Floats
    points: Floats
    log_abs_dets: Floats
    log_q0: Floats
    log_px_z: Floats
    log_pz: Floats
    log_qz: Floats
    p: NDArray[np.float32]
    joint_form: Estimate
    kl_form: Estimate
    kl: Estimate

    @cached_property
    def log_w(self) -> Floats:
        """log p(x|z) + log p(z) − log q(z|x) of every draw, (L,)."""
        return self.log_px_z + self.log_pz - self.log_qz


@dataclass(frozen=True)
class Reference:
    """Values for an image and a model that do not depend on ε. Log-probabilities in nats.

    Attributes:
        mean: μ of the Gaussian base, (d,).
        scale: C of the Gaussian base, z_0 = μ + Cε, lower triangular, (d, d).
        z_mean, z_sd: mean and standard deviation of each z_i under q(z|x), (d,).
        kl: KL(q(z|x) ‖ p(z)) if it has a closed form, with an error of 0; else None.
        log_px: log p̂(x) with K importance samples, and its standard error; NaN if not known.
        importance_samples: K.
        ess, pareto_k: effective sample size and tail shape of the importance weights.
        log_w_range: interval with nearly all log w of single draws, and log p̂(x).
        probe: noise that shows the shape of q: for d = 1 a grid (N, 1), for d = 2 the circles
            |ε| = 1, 2 and 3, each (``_RING_POINTS``, 2), one after the other; else (0, d).
        probe_points: positions of the probe at each flow stage, (T + 1, N, d).
        probe_log_q: log q(z|x) at the last of these positions, (N,).
        prior: mean and standard deviation of each z_i under p(z), (d,).
        probe_log_p: log p(z) at the same positions, (N,).
    """

    mean: Floats
    scale: Floats
    z_mean: Floats
    z_sd: Floats
    kl: Estimate | None
    log_px: Estimate
    importance_samples: int
    ess: float
    pareto_k: float
    log_w_range: tuple[float, float]
    probe: Floats
    probe_points: Floats
    probe_log_q: Floats
    prior: Prior
    probe_log_p: Floats

    @property
    def diagonal(self) -> bool:
        """Whether C is diagonal: z_0 = μ + σ ⊙ ε."""
        return not np.tril(self.scale, -1).any()

    @property
    def trusted(self) -> bool:
        """Whether log p̂(x) can be trusted: whether its error is known."""
        return not math.isnan(self.log_px.se)

    def gap(self, elbo: Estimate) -> Estimate:
        """log p̂(x) − ELBO, which estimates KL(q(z|x) ‖ p(z|x))."""
        return Estimate(self.log_px.mean - elbo.mean, float(np.hypot(self.log_px.se, elbo.se)))


@torch.no_grad()
def walk(model: VAE, x: Tensor, seed: int, samples: int) -> Walk:
    """Run Algorithm 2 of the note L = ``samples`` times for one image x (1, C, H, W) in [0, 1].

    Raises:
        InvalidArgument: if ``samples`` is not 1 to ``MAX_SAMPLES``.
    """
    if not 1 <= samples <= MAX_SAMPLES:
        raise InvalidArgument(f"L must be 1 to {MAX_SAMPLES}, not {samples}.")
    x = x.to(model.device)
    q = model.posterior(x)
    epsilon = _noise(q, seed, model.device)[:samples]
    terms = elbo_terms_at(model, x, q, epsilon, rows_at_once(model))
    path = terms.path
    return Walk(
        epsilon=_rows(path.epsilon),
        points=_stack(path.points, samples),
        log_abs_dets=_stack(path.log_abs_dets, samples),
        log_q0=_rows(path.log_q0),
        log_px_z=_rows(terms.log_px_z),
        log_pz=_rows(terms.log_pz),
        log_qz=_rows(terms.log_qz),
        p=decode(model, path.z[0, 0]),
        joint_form=_estimate(terms.joint_form),
        kl_form=_estimate(terms.kl_form),
        kl=_estimate(terms.kl),
    )


@torch.no_grad()
def reference(model: VAE, x: Tensor) -> Reference:
    """Compute the values that do not depend on ε, for one image x (1, C, H, W) in [0, 1]."""
    x = x.to(model.device)
    q = model.posterior(x)
    mean, scale = _base(q, model)
    epsilon = _noise(q, REFERENCE_SEED, model.device)[:_REFERENCE_DRAWS]
    terms = elbo_terms_at(model, x, q, epsilon, rows_at_once(model))
    z_mean, z_variance = q.moments(MAX_SAMPLES, _generator(REFERENCE_SEED, model.device))
    density = log_density(model, x, IMPORTANCE_SAMPLES, REFERENCE_SEED)
    probe = _probe(model.config.latent_size)
    path = q.path(_noise_of(probe, model))
    log_px = Estimate(float(density.log_px), float(density.se))
    return Reference(
        mean=mean,
        scale=scale,
        z_mean=z_mean[0].cpu().double().numpy(),
        z_sd=z_variance[0].cpu().double().sqrt().numpy(),
        kl=Estimate(float(terms.kl), 0.0) if terms.kl.numel() == 1 else None,
        log_px=log_px,
        importance_samples=IMPORTANCE_SAMPLES,
        ess=float(density.ess),
        pareto_k=float(density.pareto_k),
        log_w_range=_range(terms, log_px),
        probe=probe,
        probe_points=_stack(path.points, len(probe)),
        probe_log_q=_rows(path.log_q),
        prior=Prior(*(each.cpu().double().numpy() for each in model.prior.moments())),
        probe_log_p=_rows(model.log_prior(path.z)),
    )


def _generator(seed: int, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


def _noise(q: Posterior, seed: int, device: torch.device) -> Tensor:
    return q.noise(MAX_SAMPLES, _generator(seed, device))


def _noise_of(epsilon: Floats, model: VAE) -> Tensor:
    return torch.as_tensor(epsilon, dtype=torch.float32, device=model.device)[:, None]


def _base(q: Posterior, model: VAE) -> tuple[Floats, Floats]:
    """μ (d,) and C (d, d) of z_0 = μ + Cε, computed from z_0 at ε = 0 and at each unit vector."""
    d = model.config.latent_size
    starts = _rows(q.path(_noise_of(np.eye(d + 1, d, -1), model)).points[0])
    return starts[0], (starts[1:] - starts[0]).T


def _probe(d: int) -> Floats:
    if d == 1:
        return np.linspace(-3.5, 3.5, 141)[:, None]
    if d != 2:
        return np.zeros((0, d))
    angle = np.linspace(0, 2 * np.pi, _RING_POINTS)
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.concatenate([ring, 2 * ring, 3 * ring])


def _range(terms: ElboTerms, log_px: Estimate) -> tuple[float, float]:
    log_w = _rows(terms.joint_form)
    low, high = np.quantile(log_w, (0.02, 0.98))
    reach = 4 * log_px.se if np.isfinite(log_px.se) else 0.0
    low, high = min(low, log_px.mean - reach), max(high, log_px.mean + reach)
    pad = 0.06 * (high - low) + 1e-3
    return float(low - pad), float(high + pad)


def _estimate(values: Tensor) -> Estimate:
    mean, se = monte_carlo(values.cpu().double())
    return Estimate(float(mean), float(se))


def _rows(values: Tensor) -> Floats:
    """Convert values (n, 1, …) of one image to float64 (n, …) on the CPU."""
    return values[:, 0].cpu().double().numpy()


def _stack(stages: Sequence[Tensor], samples: int) -> Floats:
    """Stack values (n, 1, …) of each flow stage to (stages, n, …); (0, n) without stages."""
    return np.stack([_rows(each) for each in stages]) if stages else np.zeros((0, samples))

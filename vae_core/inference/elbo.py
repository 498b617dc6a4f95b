"""The ELBO with L samples, in both of its forms, with the Monte Carlo error of each.

Axis order: (L, B). All values in nats.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from vae_core.model.posteriors import Path, Proposal
from vae_core.model.priors import Prior
from vae_core.model.vae import VAE


def mean_and_se(values: Tensor) -> tuple[float, float]:
    """Mean over images and its standard error, from one value per image, (B,)."""
    values = values.double()
    se = values.std(unbiased=True) / math.sqrt(len(values)) if len(values) > 1 else torch.nan
    return float(values.mean()), float(se)


@dataclass(frozen=True)
class ElboTerms:
    """The terms of the ELBO at L draws for each of B images.

    Attributes:
        log_px_z: log p(x|z), (L, B).
        z: the draws, (L, B, d).
        log_qz: log q(z|x), (L, B).
        kl: KL(q ‖ p), (1, B) in closed form or (L, B) estimated at the draws.
        path: the draws, with every stage of a flow.
        prior: p(z).
    """

    log_px_z: Tensor
    z: Tensor
    log_qz: Tensor
    kl: Tensor
    path: Path
    prior: Prior

    @cached_property
    def log_pz(self) -> Tensor:
        """log p(z), (L, B)."""
        return self.prior.log_prob(self.z)

    @property
    def joint_form(self) -> Tensor:
        """Note eq. (3): log p(x|z) + log p(z) − log q(z|x), (L, B). This is log w."""
        return self.log_px_z + self.log_pz - self.log_qz

    @property
    def kl_form(self) -> Tensor:
        """Note eq. (4): log p(x|z) − KL(q ‖ p), (L, B)."""
        return self.log_px_z - self.kl


def elbo_terms(
    model: VAE, x: Tensor, samples: int, generator: torch.Generator | None = None
) -> ElboTerms:
    """Draw L = ``samples`` latents for each image x (B, C, H, W) and evaluate every term there."""
    x = model.as_images(x)
    q = model.posterior(x)
    return elbo_terms_at(model, x, q, q.noise(samples, generator))


def elbo_terms_at(
    model: VAE, x: Tensor, q: Proposal, epsilon: Tensor, samples_at_once: int | None = None
) -> ElboTerms:
    """Evaluate every term of the ELBO at the draws of q for given noise ε (L, B, d).

    Args:
        samples_at_once: number of the L samples to decode at once; None means all.
    """
    path = q.path(epsilon)
    return terms_at(model, x, q, path, path.z, path.log_q, samples_at_once)


def terms_at(
    model: VAE,
    x: Tensor,
    q: Proposal,
    path: Path,
    z: Tensor,
    log_q: Tensor,
    samples_at_once: int | None = None,
) -> ElboTerms:
    """Evaluate every term of the ELBO at given z (L, B, d) with log q(z|x) (L, B).

    z and log q equal those of the path in value. Their gradients may differ, as a gradient
    estimator needs.

    Args:
        samples_at_once: number of the L samples to decode at once; None means all.
    """
    parts = z.split(samples_at_once or len(z))
    log_px_z = [model.log_likelihood(x, part) for part in parts]
    return ElboTerms(
        log_px_z=log_px_z[0] if len(log_px_z) == 1 else torch.cat(log_px_z),
        z=z,
        log_qz=log_q,
        kl=model.prior.kl(q, z, log_q),
        path=path,
        prior=model.prior,
    )


def monte_carlo(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over the L samples and its standard error s/√L, both (B,), from values (L, B).

    The error is NaN for L = 1, because one draw has no spread.
    """
    count = values.shape[0]
    if count == 1:
        return values[0], torch.full_like(values[0], torch.nan)
    return values.mean(0), values.std(0, unbiased=True) / count**0.5

"""The two parts of the gap log p(x) − ELBO (Cremer et al. 2018, arXiv 1801.03558)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.seeding import generator_of
from vae_core.inference.elbo import monte_carlo
from vae_core.inference.fitting import log_weights
from vae_core.inference.refit import _FRESH
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE


@dataclass(frozen=True)
class Regret:
    """ELBO[q] and ELBO[q*] on the same fresh noise; every attribute is (B,), float64, in nats.

    Attributes:
        elbo: ELBO of the encoder's q, and ``elbo_se``, the standard error.
        best_elbo: ELBO of the refitted q*, and ``best_elbo_se``.
        amortisation: ELBO[q*] − ELBO[q], and ``amortisation_se`` from the paired draws.
    """

    elbo: Tensor
    elbo_se: Tensor
    best_elbo: Tensor
    best_elbo_se: Tensor
    amortisation: Tensor
    amortisation_se: Tensor


@dataclass(frozen=True)
class Gap(Regret):
    """The two parts of the gap; every attribute is (B,), float64, in nats.

    Attributes:
        log_px: the given log p(x), and ``log_px_se``, its error.
        approximation: log p(x) − ELBO[q*], and ``approximation_se``.
    """

    log_px: Tensor
    log_px_se: Tensor
    approximation: Tensor
    approximation_se: Tensor


def fresh_noise(model: VAE, x: Tensor, n: int, seed: int = 0) -> Tensor:
    """Draw ε for measurements, (n, B, d).

    It depends only on the seed and the image. Fits and importance sampling use other noise.
    """
    shape = (n, model.config.latent_size)
    generators = [generator_of(image, seed ^ _FRESH, x.device) for image in x]
    draws = [torch.randn(shape, generator=g, device=x.device, dtype=x.dtype) for g in generators]
    return torch.stack(draws, 1)


@torch.no_grad()
def regret(
    model: VAE,
    x: Tensor,
    best: Posterior,
    n: int = 2000,
    seed: int = 0,
    *,
    posterior: Posterior | None = None,
) -> Regret:
    """ELBO[q*] − ELBO[q] with n draws of each, both from the same noise.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        best: q*, such as ``state.posterior`` of :func:`refit`.
        n: draws, at least 2.
        posterior: the encoder's q of these images, if already computed.
    """
    x = model.as_images(x)
    epsilon = fresh_noise(model, x, n, seed)
    encoder = posterior or model.posterior(x)
    log_w, best_log_w = (log_weights(model, x, q, epsilon).cpu().double() for q in (encoder, best))
    return Regret(*monte_carlo(log_w), *monte_carlo(best_log_w), *monte_carlo(best_log_w - log_w))


def gap(
    model: VAE,
    x: Tensor,
    best: Posterior,
    log_px: Tensor,
    log_px_se: Tensor,
    n: int = 2000,
    seed: int = 0,
) -> Gap:
    """log p(x) − ELBO[q] as approximation + amortisation, each with its standard error.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        best: q*, such as ``state.posterior`` of :func:`refit`.
        log_px: log p(x), (B,), exact or from an estimator; ``log_px_se`` is its error, (B,).
        n: draws of q and of q*, at least 2.
    """
    parts = regret(model, x, best, n, seed)
    log_px, log_px_se = log_px.cpu().double(), log_px_se.cpu().double()
    return Gap(
        **vars(parts),
        log_px=log_px,
        log_px_se=log_px_se,
        approximation=log_px - parts.best_elbo,
        approximation_se=(log_px_se.square() + parts.best_elbo_se.square()).sqrt(),
    )

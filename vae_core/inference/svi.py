"""Stochastic variational inference: fit a Gaussian to each image, without an encoder.

Hoffman et al. 2013; with the reparameterised ELBO as in Kucukelbir et al. 2017 (ADVI, arXiv
1603.00788). The fit starts at the moments of the prior, so it needs only the decoder.
"""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from vae_core.inference.fitting import Fit, Params, Schedule, check_some, fit
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE

Covariance = Literal["mean-field", "full"]

SCHEDULE = Schedule(rate=0.05)


def svi(
    model: VAE,
    x: Tensor,
    covariance: Covariance = "full",
    schedule: Schedule = SCHEDULE,
    seed: int = 0,
) -> Iterator[Fit]:
    """Fit N(μ, LLᵀ) to the true posterior of each image, beginning at the moments of the prior.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        covariance: ``"mean-field"`` for a diagonal L, ``"full"`` for a lower triangular one.

    Yields:
        The state at each check. ``state.posterior`` is a :class:`GaussianPosterior`.
        ``state.trace`` is the ELBO so far, (checks, B), in nats: a lower bound of log p(x).
    """
    x = model.as_images(x)
    check_some(x)
    family = _diagonal if covariance == "mean-field" else _full
    yield from fit(model, x, _prior(model, x, covariance), family, schedule, seed)


def _prior(model: VAE, x: Tensor, covariance: Covariance) -> dict[str, Tensor]:
    size = model.config.latent_size
    mean, scale = (each.detach().to(x).expand(len(x), -1) for each in model.prior.moments())
    start = {"mean": mean, "log_scale": scale.log()}
    if covariance == "full":
        start["below"] = torch.zeros(len(x), size, size, dtype=x.dtype, device=x.device)
    return start


def _diagonal(params: Params) -> GaussianPosterior:
    return GaussianPosterior(params["mean"], params["log_scale"])


def _full(params: Params) -> GaussianPosterior:
    """L = (I + N) diag(σ), N strictly lower, so that steps in N scale with σ."""
    scale = params["log_scale"].exp()
    lower = params["below"].tril(-1) * scale[:, None]
    return GaussianPosterior(params["mean"], params["log_scale"], lower)

"""The two parts of the gap log p(x) − ELBO of a model on a split, with their protocol. In nats."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.elbo import mean_and_se
from vae_core.inference.fitting import Fit, Schedule
from vae_core.inference.gap import gap
from vae_core.inference.importance import log_density
from vae_core.inference.proposals import refine
from vae_core.inference.quadrature import quadrature
from vae_core.inference.refit import refit
from vae_core.model.posteriors import Posterior
from vae_core.model.vae import VAE
from vae_core.settings.choices import Binarisation
from vae_core.settings.data_sets import Split
from vae_core.settings.protocol import EVALUATION_SEED, Protocol

_MOST_WEIGHTS = 4_000_000  # in all copies of the head; Adam and the best copy need 3 times more


def evaluate_gap(
    model: VAE,
    data: Dataset,
    split: Split,
    binarisation: Binarisation,
    importance_samples: int,
    limit: int | None = None,
    seed: int = EVALUATION_SEED,
    on_progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """log p(x) − ELBO = approximation + amortisation, means over images and their errors.

    For d ≤ 2, log p(x) is exact up to the error of the quadrature; ``share_reached`` is the share
    of the images for which this error is within the tolerance. For larger d it is estimated with
    K = ``importance_samples`` draws. For each image, they come from the best of three
    proposals by their effective sample size: the refined one, q* and q. This estimate is too low on
    average, so the approximation gap is at least as large as stated. ``…_se`` is the standard error
    of the mean over images.
    """
    x, _ = evaluation_images(data, split, binarisation, seed, limit)
    blocks = x.to(model.device).split(_images_at_once(model))
    parts, converged, exact_for = [], [], []
    for index, block in enumerate(blocks):
        fitted = _refitted(model, block, seed, index / len(blocks), 1 / len(blocks), on_progress)
        log_px, error, reached = _log_px(model, block, fitted.posterior, importance_samples, seed)
        exact_for.append(reached)
        parts.append(gap(model, block, fitted.posterior, log_px, error, seed=seed))
        converged.append(fitted.converged.cpu())
    figures: dict[str, Any] = {}
    for name in ("log_px", "elbo", "best_elbo", "approximation", "amortisation"):
        values = torch.cat([getattr(part, name) for part in parts])
        figures[name], figures[f"{name}_se"] = mean_and_se(values)
    whole = torch.cat([part.log_px - part.elbo for part in parts])
    figures["gap"], figures["gap_se"] = mean_and_se(whole)
    exact = model.config.latent_size <= 2
    protocol = Protocol(
        data.name,
        split,
        binarisation,
        images=len(x),
        proposal=None if exact else "refined",
        seed=seed,
    )
    return {
        **protocol.to_dict(),
        "log_px_by": "quadrature" if exact else "importance sampling",
        "importance_samples": None if exact else importance_samples,
        "share_reached": float(torch.cat(exact_for).double().mean()) if exact else None,
        "share_converged": float(torch.cat(converged).double().mean()),
        **figures,
    }


def _images_at_once(model: VAE) -> int:
    weights = sum(weight.numel() for weight in model.to_posterior.parameters())
    return max(1, min(100, _MOST_WEIGHTS // weights))


def _refitted(
    model: VAE,
    x: Tensor,
    seed: int,
    done: float,
    share: float,
    on_progress: Callable[[float], None] | None,
) -> Fit:
    states = refit(model, x, Schedule(), seed)
    state = next(states)
    for state in states:
        if on_progress is not None:
            on_progress(done + share * state.share)
    return state


@torch.no_grad()
def _log_px(
    model: VAE, x: Tensor, best: Posterior, importance_samples: int, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """log p(x) of each image, its error, and whether it is exact, (B,) each."""
    if model.config.latent_size <= 2:
        exact = quadrature(model, x)
        return exact.log_px, exact.error, exact.reached
    proposals = refine(model, x, seed), best, model.posterior(x)
    found = [log_density(model, x, importance_samples, seed, proposal=q) for q in proposals]
    chosen = torch.stack([estimate.ess for estimate in found]).argmax(0, keepdim=True)
    log_px, se = (torch.stack([getattr(e, name) for e in found]) for name in ("log_px", "se"))
    log_px, se = log_px.gather(0, chosen)[0], se.gather(0, chosen)[0]
    return log_px, se, torch.zeros(len(x), dtype=torch.bool)

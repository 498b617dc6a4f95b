"""Figures of a model on held-out images, each with its protocol. All in nats per image."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vae_core.choices import ProposalName
from vae_core.config import Binarisation, Split, TrainConfig
from vae_core.datasets import Dataset, evaluation_images
from vae_core.estimators import LogDensity, log_density
from vae_core.long_estimate import kept_log_density
from vae_core.objectives import ElboTerms, elbo_terms_at
from vae_core.proposals import ESTIMATES
from vae_core.vae import VAE

EVALUATION_SEED = 0
EPOCH_IMAGES = 2000
_EPOCH_BATCH = 500
IMPORTANCE_IMAGES = 100
IMPORTANCE_SAMPLES = 100
_MOMENT_SAMPLES = 16
ACTIVE_VARIANCE = 0.01  # Burda et al. 2016, §5.2

Moments = tuple[Tensor, Tensor]  # mean and variance of each z_i under q(z|x), (B, d) each


def mean_and_se(values: Tensor) -> tuple[float, float]:
    """Mean over images and its standard error, from one value an image, (B,)."""
    values = values.double()
    se = values.std(unbiased=True) / math.sqrt(len(values)) if len(values) > 1 else torch.nan
    return float(values.mean()), float(se)


def dimension_figures(first: Moments, second: Moments) -> tuple[Tensor, Tensor]:
    """What each latent dimension carries: its mean KL to the prior, and the variance of E[z_i|x].

    Takes two independent estimates of the mean and variance of each z_i under q(z|x), (B, d) each.
    For Gaussians both are exact, and so is the result. For flows they come from a few draws, whose
    noise alone would make every dimension look active; between independent estimates it cancels.

    Returns:
        KL(N(mean_i, variance_i) ‖ N(0, 1)) averaged over images, in nats, and the variance of the
        posterior mean over images, both (d,), float64. For flows the KL is that of the Gaussians
        with the same moments. The sum is the KL only if the dimensions are independent under
        q(z|x).
    """
    (mean, variance), (other_mean, other_variance) = (
        (m.double(), v.double()) for m, v in (first, second)
    )
    pooled = (variance + other_variance) / 2
    # The bias of the log of a sample variance halves as the draws double: extrapolated to none.
    log_variance = 2 * pooled.log() - (variance.log() + other_variance.log()) / 2
    kl = 0.5 * (mean * other_mean + pooled - 1 - log_variance)
    products = (mean - mean.mean(0)) * (other_mean - other_mean.mean(0))
    return kl.mean(0), products.sum(0) / (len(mean) - 1)


@torch.no_grad()
def evaluate_epoch(model: VAE, data: Dataset, settings: TrainConfig) -> dict[str, Any]:
    """The validation row of an epoch: ELBO and its terms, KL by dimension, flow terms, and how
    often a class head is right.

    The noise is the same at every epoch, so that epochs differ by their weights alone.
    """
    x, labels = evaluation_images(
        data, "validation", settings.binarisation, EVALUATION_SEED, EPOCH_IMAGES
    )
    x = x.to(model.device)
    generator = torch.Generator(model.device).manual_seed(EVALUATION_SEED)
    parts, classes = [], []
    for block in x.split(max(1, _EPOCH_BATCH // settings.samples)):
        q = model.posterior(block)
        terms = elbo_terms_at(model, block, q, q.noise(settings.samples, generator))
        moments = [q.moments(_MOMENT_SAMPLES, generator) for _ in range(2)]
        parts.append((_image_means(terms), *moments[0], *moments[1]))
        if model.class_head is not None:
            classes.append(model.log_class_probabilities(terms.z).logsumexp(0).argmax(1))
    by_image = {name: torch.cat([p[0][name] for p in parts]) for name in parts[0][0]}
    mean, variance, *again = (torch.cat([p[i] for p in parts]) for i in range(1, 5))
    kl_by_dimension, spread = dimension_figures((mean, variance), (again[0], again[1]))
    elbo, elbo_se = mean_and_se(by_image["elbo"])
    return {
        **{name: float(values.double().mean()) for name, values in by_image.items()},
        "elbo": elbo,
        "elbo_se": elbo_se,
        "log_px_z_se": mean_and_se(by_image["log_px_z"])[1],
        "kl_se": mean_and_se(by_image["kl"])[1],
        "kl_by_dimension": kl_by_dimension.tolist(),
        "mean_variance_by_dimension": spread.tolist(),
        "active_units": int((spread > ACTIVE_VARIANCE).sum()),
        **_accuracy(classes, labels),
        "dataset": data.name,
        "split": "validation",
        "binarisation": settings.binarisation,
        "samples": settings.samples,
        "images": len(x),
        "seed": EVALUATION_SEED,
    }


def _accuracy(classes: list[Tensor], labels: Tensor) -> dict[str, float]:
    """The share of images whose class is right, where classes are told at all."""
    if not classes:
        return {}
    right = torch.cat(classes).cpu() == labels.cpu()
    return {"class_accuracy": float(right.double().mean())}


def _image_means(terms: ElboTerms) -> dict[str, Tensor]:
    """Every term averaged over the samples, (B,) each."""
    values = {
        "elbo": terms.kl_form,
        "elbo_joint_form": terms.joint_form,
        "log_px_z": terms.log_px_z,
        "kl": terms.kl,
        "log_pz": terms.log_pz,
        "log_qz": terms.log_qz,
        "log_q0": terms.path.log_q0,
        "log_det_sum": terms.path.log_q0 - terms.log_qz,
    }
    return {name: value.mean(0) for name, value in values.items()}


def importance_estimate(model: VAE, data: Dataset, settings: TrainConfig) -> dict[str, Any]:
    """log p̂(x) of a few validation images, for the curves."""
    x, _ = evaluation_images(
        data, "validation", settings.binarisation, EVALUATION_SEED, IMPORTANCE_IMAGES
    )
    result = log_density(model, x.to(model.device), IMPORTANCE_SAMPLES, EVALUATION_SEED)
    log_px, se = mean_and_se(result.log_px)
    elbo, _ = mean_and_se(result.elbo)
    return {
        "log_px": log_px,
        "log_px_se": se,
        "elbo": elbo,
        "dataset": data.name,
        "split": "validation",
        "binarisation": settings.binarisation,
        "importance_samples": IMPORTANCE_SAMPLES,
        "images": len(x),
        "seed": EVALUATION_SEED,
    }


def evaluate(
    model: VAE,
    data: Dataset,
    split: Split,
    binarisation: Binarisation,
    importance_samples: int,
    limit: int | None = None,
    seed: int = EVALUATION_SEED,
    on_progress: Callable[[float], None] | None = None,
    kept: Path | None = None,
    proposal: ProposalName = "encoder",
) -> tuple[dict[str, Any], LogDensity]:
    """Figures on a split, with their protocol, and the score of every image behind them.

    Standard errors are those of the mean over images. ``log_px`` estimates log p(x) from below.

    Args:
        kept: a file from which an evaluation that was cut off goes on.
        proposal: what importance samples are drawn from: the encoder's q(z|x), whose ELBO and KL
            are among the figures, or one refined for each image (:mod:`vae_core.proposals`), with
            which log p̂(x) misses less, and the ELBO and the KL are those of the refined one.
    """
    x, _ = evaluation_images(data, split, binarisation, seed, limit)
    x = x.to(model.device)
    if kept is None:
        result = ESTIMATES[proposal](model, x, importance_samples, seed, on_progress)
    else:
        result = kept_log_density(model, x, importance_samples, seed, kept, on_progress, proposal)
    log_px, log_px_se = mean_and_se(result.log_px)
    elbo, elbo_se = mean_and_se(result.elbo)
    known = result.pareto_k[~result.pareto_k.isnan()]
    return {
        "dataset": data.name,
        "split": split,
        "binarisation": binarisation,
        "images": len(x),
        "importance_samples": importance_samples,
        "proposal": proposal,
        "seed": seed,
        "elbo": elbo,
        "elbo_se": elbo_se,
        "expected_log_likelihood": float(result.expected_log_likelihood.mean()),
        "kl": float(result.kl.mean()),
        "log_px": log_px,
        "log_px_se": log_px_se,
        "bits_per_dim": float(result.bits_per_dim(model.config.pixels).mean()),
        "ess": float(result.ess.mean()),
        "share_pareto_k_above_0_7": float((known > 0.7).double().mean()) if len(known) else None,
    }, result

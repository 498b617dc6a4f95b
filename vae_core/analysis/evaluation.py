"""Figures of a model on held-out images, each with its protocol. All in nats per image."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from vae_core.basics.errors import InvalidArgument, check_choice
from vae_core.data.catalogue import BUILT_IN
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.classes import marginal_density
from vae_core.inference.elbo import mean_and_se
from vae_core.inference.importance import LogDensity, ReachedDensity
from vae_core.inference.pareto import TRUSTED_PARETO_K
from vae_core.inference.proposals import ESTIMATES, ESTIMATES_TO
from vae_core.model.vae import VAE
from vae_core.settings.choices import Binarisation, ProposalName, is_density, is_of_levels
from vae_core.settings.data_sets import Split
from vae_core.settings.protocol import EVALUATION_SEED, Protocol

Estimate = Callable[..., LogDensity]
_ALL_BITS = 129  # distinct values, more than 7 bits have
_BOUND_SAMPLES = 100  # of the encoder, beside those of a refined proposal


def evaluate(
    model: VAE,
    data: Dataset,
    split: Split,
    binarisation: Binarisation,
    importance_samples: int,
    limit: int | None = None,
    seed: int = EVALUATION_SEED,
    on_progress: Callable[[float], None] | None = None,
    estimate: Estimate | None = None,
    proposal: ProposalName = "encoder",
    se: float | None = None,
) -> tuple[dict[str, Any], LogDensity]:
    """Evaluate a model on a split; return figures with their protocol, and the score per image.

    Standard errors are errors of the mean over images. ``log_px`` estimates log p(x) from below.
    ``bits_per_dim`` is None if p(x) is a density of grey values
    (:func:`~vae_core.settings.choices.is_density`). For likelihoods of 8-bit values there is also
    ``bits_per_dim_comparable``: whether it can be compared with published tables. It can for all
    test images of a built-in data set that uses all 8 bits; own images may be resized or compressed
    copies.

    For a model conditional on the class, p(x) is the sum over its classes
    (:func:`vae_core.inference.classes.marginal_density`).

    Args:
        estimate: computes log p̂(x) in another way, called as
            ``estimate(model, x, K, seed, on_progress=…)``, such as
            :func:`vae_core.analysis.resumable.kept_log_density` with its file.
        proposal: the distribution of the importance samples: the encoder's q(z|x), or a proposal
            refined for each image (:mod:`vae_core.inference.proposals`), which makes log p̂(x) more
            accurate. The ELBO, its error and its two terms are the encoder's in both cases.
        se: the wanted standard error of every image, in nats. Each image then gets as many
            samples as necessary, ``importance_samples`` at most; ``estimate`` is not used.

    Raises:
        InvalidArgument: if the split, the binarisation or the proposal is unknown, the limit is
            below 1, K is out of range, or the images do not have the model's shape.
    """
    check_choice("The proposal", proposal, ESTIMATES)
    x, _ = evaluation_images(data, split, binarisation, seed, limit)
    x = x.to(model.device)
    reaching: dict[str, Any] = {}
    if se is not None:
        _check_takes_an_error(model)
        found = ESTIMATES_TO[proposal](model, x, se, importance_samples, seed, on_progress)
        result, reaching = found.density, _reaching(found, se)
    else:
        chosen = estimate or partial(marginal_density, estimate=ESTIMATES[proposal])
        result = chosen(model, x, importance_samples, seed, on_progress=on_progress)
    log_px, log_px_se = mean_and_se(result.log_px)
    bound = result if proposal == "encoder" else _bound(model, x, importance_samples, seed)
    elbo, elbo_se = mean_and_se(bound.elbo)
    protocol = Protocol(
        data.name,
        split,
        binarisation,
        images=len(x),
        importance_samples=importance_samples,
        proposal=proposal,
        seed=seed,
    )
    return {
        **protocol.to_dict(),
        "elbo": elbo,
        "elbo_se": elbo_se,
        "expected_log_likelihood": float(bound.expected_log_likelihood.mean()),
        "kl": float(bound.kl.mean()),
        "log_px": log_px,
        "log_px_se": log_px_se,
        "bits_per_dim": None
        if is_density(model.config.likelihood)
        else float(result.bits_per_dim(model.config.pixels).mean()),
        **_comparability(model, data, split, x),
        "ess": float(result.ess.mean()),
        "share_pareto_k_above_0_7": _share_of_heavy_tails(result.pareto_k),
        **reaching,
    }, result


def _check_takes_an_error(model: VAE) -> None:
    if model.config.is_conditional:
        raise InvalidArgument(
            "A model of p(x|y) takes the same number of samples for every class: leave out the "
            "standard error, and give K."
        )


def _bound(model: VAE, x: Tensor, importance_samples: int, seed: int) -> LogDensity:
    """Return the encoder's ELBO, where the importance samples come from elsewhere."""
    return marginal_density(model, x, min(importance_samples, _BOUND_SAMPLES), seed)


def _comparability(model: VAE, data: Dataset, split: Split, x: Tensor) -> dict[str, bool]:
    """Return whether bits per dimension can be compared with published tables, if ever."""
    if not is_of_levels(model.config.likelihood):
        return {}
    whole = split == "test" and len(x) == data.info.sizes["test"]
    published = whole and data.name in BUILT_IN
    return {"bits_per_dim_comparable": published and len(x.unique()) >= _ALL_BITS}


def _share_of_heavy_tails(pareto_k: Tensor) -> float | None:
    """Share of images with k̂ above 0.7, or without a k̂; None if K is too small for any k̂."""
    if pareto_k.isnan().all():
        return None
    return float((~(pareto_k <= TRUSTED_PARETO_K)).double().mean())


def _reaching(found: ReachedDensity, se: float) -> dict[str, Any]:
    """Return the extra figures of an evaluation with a wanted standard error."""
    return {
        "se_wanted": se,
        "importance_samples": int(found.samples.max()),
        "importance_samples_mean": float(found.samples.double().mean()),
        "images_not_reached": int((~found.reached).sum()),
    }

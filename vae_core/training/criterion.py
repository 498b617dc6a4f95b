"""The criterion that chooses which epoch's weights a run keeps.

It is the objective of the training at the full weight of the KL, on validation images: the same K,
β, free bits and class term. The gradient estimators of one objective share one criterion.

The noise is the same in every epoch, and there are as many draws as in a step of training: L terms
of K draws for each image. With one term on 200 images, the kept epoch of eleven objectives is at
most 0.025 nats below the best one, a tenth of the standard error over images (tests/benchmarks,
``kept_epoch``). More terms would cost more: for K > 1 one is 5% of an epoch of the digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vae_core.inference.elbo import ElboTerms, mean_and_se
from vae_core.model.posteriors import Path, Posterior
from vae_core.model.vae import VAE
from vae_core.settings.config import TrainConfig
from vae_core.training.objective import Draw, bound


@dataclass(frozen=True)
class ImageValues:
    """The parts of an objective for each of B images, (B,) each, averaged over its L terms.

    Attributes:
        bound: the bound with the full weight of the KL, β.
        bound_without_kl: the bound with weight 0, which counts while the KL is within the free
            bits.
        kl: the KL, by which the free bits decide.
    """

    bound: Tensor
    bound_without_kl: Tensor
    kl: Tensor


def draw_of(
    model: VAE, x: Tensor, q: Posterior, path: Path, settings: TrainConfig, labels: Tensor
) -> Draw:
    """Samples of z for the criterion, with the full weight of the KL.

    The KL is in closed form if the family has one, whatever form trains: its mean is the same, and
    it has less noise.
    """
    observed = labels if model.class_head is not None else None
    weight = settings.beta
    return Draw(model, x, q, path, settings.iwae_samples, lambda _: weight, True, observed)


def values_at(draw: Draw, terms: ElboTerms) -> ImageValues:
    """Parts of the objective at the terms of a draw."""
    without_kl = bound(replace(draw, kl_weight=lambda _: 0.0), terms)
    kl = terms.kl if draw.inside == 1 else terms.log_qz - terms.log_pz
    return ImageValues(bound(draw, terms).mean(0), without_kl.mean(0), kl.mean(0))


def criterion(parts: Sequence[ImageValues], settings: TrainConfig) -> tuple[float, float]:
    """Mean of the objective over all images, and its standard error, in nats.

    Free bits λ: a mean KL below λ costs β λ, as the objective of the training would have it.
    """
    kl = torch.cat([part.kl for part in parts]).double().mean()
    if settings.free_bits and kl <= settings.free_bits:
        free = torch.cat([part.bound_without_kl for part in parts])
        value, se = mean_and_se(free)
        return value - settings.beta * settings.free_bits, se
    return mean_and_se(torch.cat([part.bound for part in parts]))

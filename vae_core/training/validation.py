"""Figures of an epoch on validation images."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from vae_core.data.datasets import Dataset
from vae_core.data.pixels import evaluation_images
from vae_core.inference.classes import marginal_density
from vae_core.inference.dimensions import ACTIVE_VARIANCE, dimension_figures
from vae_core.inference.elbo import ElboTerms, elbo_terms_at, mean_and_se
from vae_core.model.batches import rows_at_once
from vae_core.model.vae import VAE
from vae_core.settings.config import TrainConfig
from vae_core.settings.protocol import EPOCH_IMAGES, EVALUATION_SEED, Protocol
from vae_core.training.criterion import ImageValues, criterion, draw_of, values_at

_EPOCH_BATCH = 500
IMPORTANCE_IMAGES = 100
IMPORTANCE_SAMPLES = 100
MOMENT_SAMPLES = 16


class EpochFigures(NamedTuple):
    """Figures of an epoch on validation images.

    Attributes:
        validation: the ELBO and its terms, the KL by dimension, flow terms, and the accuracy of a
            class head.
        criterion: the objective of the training (:mod:`vae_core.training.criterion`), by which the
            kept epoch is chosen.
    """

    validation: dict[str, Any]
    criterion: dict[str, Any]


@torch.no_grad()
def evaluate_epoch(model: VAE, data: Dataset, settings: TrainConfig) -> EpochFigures:
    """Measure the figures of an epoch on validation images.

    The noise is the same in every epoch, so that epochs differ only by their weights.
    """
    x, labels = evaluation_images(
        data, "validation", settings.binarisation, EVALUATION_SEED, EPOCH_IMAGES
    )
    x, labels = x.to(model.device), labels.to(model.device)
    generator = torch.Generator(model.device).manual_seed(EVALUATION_SEED)
    parts, classes, values = [], [], []
    size = max(1, _EPOCH_BATCH // settings.samples)
    for block, y in zip(x.split(size), labels.split(size), strict=True):
        own = _of_classes(model, y)
        q = own.posterior(block)
        terms = elbo_terms_at(own, block, q, q.noise(settings.samples, generator))
        moments = [q.moments(MOMENT_SAMPLES, generator) for _ in range(2)]
        parts.append((_image_means(terms), *moments[0], *moments[1]))
        if model.class_head is not None:
            classes.append(model.log_class_probabilities(terms.z).logsumexp(0).argmax(1))
        if settings.iwae_samples == 1:  # the criterion takes the same draws
            values.append(values_at(draw_of(own, block, q, terms.path, settings, y), terms))
    by_image = {name: torch.cat([p[0][name] for p in parts]) for name in parts[0][0]}
    mean, variance, *again = (torch.cat([p[i] for p in parts]) for i in range(1, 5))
    kl_by_dimension, spread = dimension_figures(
        model.prior.moments(), (mean, variance), (again[0], again[1])
    )
    elbo, elbo_se = mean_and_se(by_image["elbo"])
    protocol = Protocol(
        data.name,
        "validation",
        settings.binarisation,
        images=len(x),
        samples=settings.samples,
        seed=EVALUATION_SEED,
        given="class" if model.config.is_conditional else None,
    )
    validation = {
        **{name: float(each.double().mean()) for name, each in by_image.items()},
        "elbo": elbo,
        "elbo_se": elbo_se,
        "log_px_z_se": mean_and_se(by_image["log_px_z"])[1],
        "kl_se": mean_and_se(by_image["kl"])[1],
        "kl_by_dimension": kl_by_dimension.tolist(),
        "mean_variance_by_dimension": spread.tolist(),
        "active_units": int((spread > ACTIVE_VARIANCE).sum()),
        **_accuracy(classes, labels),
        **protocol.to_dict(),
    }
    values = values or criterion_values(model, x, labels, settings)
    return EpochFigures(validation, _criterion_record(values, model, settings, protocol))


@torch.no_grad()
def criterion_values(
    model: VAE, x: Tensor, labels: Tensor, settings: TrainConfig, seed: int = EVALUATION_SEED
) -> list[ImageValues]:
    """Parts of the criterion of images, by blocks, with L times K draws of z for each image."""
    generator = torch.Generator(model.device).manual_seed(seed)
    draws = settings.samples * settings.iwae_samples
    size = max(1, rows_at_once(model) // draws)
    found = []
    for block, y in zip(x.split(size), labels.split(size), strict=True):
        own = _of_classes(model, y)
        q = own.posterior(block)
        path = q.path(q.noise(draws, generator))
        draw = draw_of(own, block, q, path, settings, y)
        found.append(values_at(draw, draw.terms(path.z, path.log_q)))
    return found


def _of_classes(model: VAE, labels: Tensor) -> VAE:
    """The model of images with these labels: given the labels, if it is conditional."""
    return model.given(labels) if model.config.is_conditional else model


def _criterion_record(
    values: list[ImageValues], model: VAE, settings: TrainConfig, protocol: Protocol
) -> dict[str, Any]:
    value, se = criterion(values, settings)
    return {
        "value": value,
        "value_se": se,
        "iwae_samples": settings.iwae_samples,
        "beta": settings.beta,
        "free_bits": settings.free_bits,
        "classes": model.class_head is not None,
        **protocol.to_dict(),
    }


def _accuracy(classes: list[Tensor], labels: Tensor) -> dict[str, float]:
    """Accuracy of the class head; empty for a model without one."""
    if not classes:
        return {}
    right = torch.cat(classes).cpu() == labels.cpu()
    return {"class_accuracy": float(right.double().mean())}


def _image_means(terms: ElboTerms) -> dict[str, Tensor]:
    """Average every term over the samples, (B,) each."""
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
    """Estimate log p(x) of the first validation images, for the curves."""
    x, _ = evaluation_images(
        data, "validation", settings.binarisation, EVALUATION_SEED, IMPORTANCE_IMAGES
    )
    result = marginal_density(model, x.to(model.device), IMPORTANCE_SAMPLES, EVALUATION_SEED)
    log_px, se = mean_and_se(result.log_px)
    elbo, _ = mean_and_se(result.elbo)
    return {
        "log_px": log_px,
        "log_px_se": se,
        "elbo": elbo,
        **Protocol(
            data.name,
            "validation",
            settings.binarisation,
            images=len(x),
            importance_samples=IMPORTANCE_SAMPLES,
            seed=EVALUATION_SEED,
        ).to_dict(),
    }

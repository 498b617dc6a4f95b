"""How the learning rate and the weight of the KL change over the epochs of a training."""

import math

from vae_core.settings.config import FINAL_LEARNING_RATE, TrainConfig


def learning_rate_at(settings: TrainConfig, epochs_done: float) -> float:
    """Adam's learning rate after that many epochs."""
    if settings.schedule == "constant":
        return settings.learning_rate
    share = min(epochs_done / settings.planned_epochs, 1.0)
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    return settings.learning_rate * (FINAL_LEARNING_RATE + (1 - FINAL_LEARNING_RATE) * cosine)


def kl_weight_at(settings: TrainConfig, epochs_done: float) -> float:
    """Weight of the KL after that many epochs. It rises linearly from 0 to β during warm-up."""
    warmup = warmup_epochs(settings)
    return settings.beta * (min(1.0, epochs_done / warmup) if warmup else 1.0)


def warmup_epochs(settings: TrainConfig) -> float:
    """Number of epochs over which the weight of the KL rises."""
    return min(settings.kl_warmup_epochs, settings.planned_epochs / 4)

"""A sentence for a run whose epochs would take very long, before it starts."""

from vae_core.settings.choices import FLOWS
from vae_core.settings.config import RunConfig
from vae_core.wording.lists import listed
from vae_core.wording.numbers import duration

LONG_EPOCH = 60.0
"""Seconds from which on an epoch is called long."""


def long_epoch_sentence(config: RunConfig, seconds: float) -> str | None:
    """State how long an epoch would take, and what makes it faster; None if it is not long.

    Args:
        seconds: of an epoch, as estimated (:func:`vae_core.training.cost.epoch_work`).
    """
    if seconds < LONG_EPOCH:
        return None
    model, settings = config.model, config.train
    faster = [f"fewer than {model.flow_steps} flow steps"] if model.posterior in FLOWS else []
    faster += ["fewer samples"] if settings.samples * settings.iwae_samples > 1 else []
    faster += ["a smaller network"]
    whole = duration(seconds * settings.epochs)
    return (
        f"An epoch of this run would take about {duration(seconds)} on this computer, and all "
        f"{settings.epochs:,} epochs about {whole}. It would be faster with {listed(faster)}."
    )

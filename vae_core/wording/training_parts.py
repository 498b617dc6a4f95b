"""Sentences about a training with more than one part: more epochs, or weights to start from."""

from typing import Any

from vae_core.settings.config import FINAL_LEARNING_RATE, RunConfig, TrainConfig


def training_parts(config: RunConfig) -> dict[str, Any] | None:
    """Record of the parts of a training, for its final figures; None if it has only one part."""
    train, parts = config.train, {}
    if config.start_from:
        parts["start_from"] = config.start_from
    if train.planned_epochs < train.epochs:
        parts |= {"schedule_epochs": train.planned_epochs, "after_schedule": _beyond(train)}
    return {"epochs": train.epochs, **parts} if parts else None


def parts_sentence(config: RunConfig) -> str | None:
    """State from which weights a training starts, and which epochs are beyond its schedule.

    None if it starts from random weights and has no epochs beyond its schedule.
    """
    train, said = config.train, []
    if config.start_from:
        said += [f"Training starts from the weights of {config.start_from}."]
    if (planned := train.planned_epochs) < train.epochs:
        first = "epoch 1" if planned == 1 else f"epochs 1 to {planned:,}"
        said += [f"Training has two parts: {first} with {_schedule(train)}, then {_beyond(train)}."]
    return " ".join(said) or None


def beyond_sentence(train: TrainConfig) -> str:
    """State at which learning rate a run goes on that gets more epochs."""
    rate = f"{last_learning_rate(train):.3g}"
    cosine = " (a twentieth of the first, where the cosine ended)"
    return (
        f"The added epochs keep the last learning rate, {rate}"
        f"{cosine if train.schedule == 'cosine' else ''}, and the last weight of the KL."
    )


def last_learning_rate(train: TrainConfig) -> float:
    """The learning rate of the epochs beyond the schedule."""
    return train.learning_rate * (FINAL_LEARNING_RATE if train.schedule == "cosine" else 1)


def _schedule(train: TrainConfig) -> str:
    return "the cosine decay" if train.schedule == "cosine" else "its schedule"


def _beyond(train: TrainConfig) -> str:
    first = train.planned_epochs + 1
    epochs = (
        f"epoch {first:,}" if first == train.epochs else f"epochs {first:,} to {train.epochs:,}"
    )
    return f"{epochs} at the constant learning rate {last_learning_rate(train):.3g}"

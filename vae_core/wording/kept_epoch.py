"""Sentences about the kept epoch of a run: which it is, and which criterion chose it."""

import math
from collections.abc import Mapping
from typing import Any

from vae_core.wording.lists import listed
from vae_core.wording.numbers import number


def criterion_name(record: Mapping[str, Any]) -> str:
    """Name the criterion: ``"ELBO"``, or ``"training objective (IWAE bound with K = 50)"``.

    Args:
        record: of a criterion, with ``iwae_samples``, ``beta``, ``free_bits`` and ``classes``.
    """
    inside = record["iwae_samples"]
    details = [f"K = {inside:,}"] if inside > 1 else []
    details += [f"β = {record['beta']:g}"] if record["beta"] != 1 else []
    details += [f"{record['free_bits']:g} nats of free bits"] if record["free_bits"] else []
    details += ["the class term"] if record["classes"] else []
    bound = "IWAE bound" if inside > 1 else "ELBO"
    return f"training objective ({bound} with {listed(details)})" if details else bound


def chosen_by(kept: Mapping[str, Any] | None) -> str:
    """State why this is the kept epoch: ``"the best by the ELBO on validation images"``.

    Args:
        kept: the record of :func:`vae_core.runs.metrics.kept_epoch_of`. None for a run of an
            earlier version, which went by the ELBO whatever its objective.
    """
    if kept is None:
        return "the best by the ELBO on validation images"
    criterion = kept["criterion"]
    if kept["kl_weight"] < criterion["beta"]:
        return (
            f"the newest so far: the weight of the KL still rises ({kept['kl_weight']:.2g} of "
            f"{criterion['beta']:g}), so no epoch can be chosen yet"
        )
    return f"the best by the {criterion_name(criterion)} on validation images"


def kept_epoch_sentence(kept: Mapping[str, Any]) -> str:
    """State which epoch's weights are kept and why, and whether the run ended worse than it began.

    Args:
        kept: the record of :func:`vae_core.runs.metrics.kept_epoch_of`.
    """
    epoch, last = kept["epoch"], kept["last_epoch"]
    if not epoch:
        return f"The weights are those {_first(kept)}, {chosen_by(kept)}. {_worse(kept)}"
    found = f"The weights are those of epoch {epoch:,} of {last:,}, {chosen_by(kept)}."
    return f"{found} {_worse(kept)}" if ended_worse(kept) else found


def ended_worse(kept: Mapping[str, Any]) -> bool:
    """Whether the newest epoch is worse than the untrained model, by the criterion.

    While the weight of the KL still rises, this is not known.
    """
    rises = kept["kl_weight"] < kept["criterion"]["beta"]
    return not rises and not kept["last_value"] >= kept["untrained"]  # NaN is worse, too


def _first(kept: Mapping[str, Any]) -> str:
    """Name the weights before the first epoch."""
    source = kept.get("start_from")
    return f"that the run started from, of {source}" if source else "of the untrained model"


def _worse(kept: Mapping[str, Any]) -> str:
    """State that the run ended worse than it began."""
    value = kept["last_value"]
    last = number(value) if math.isfinite(value) else "no number"
    return (
        f"The run ended worse than it began: {last} after epoch "
        f"{kept['last_epoch']:,}, {number(kept['untrained'])} before training. A smaller learning "
        "rate usually helps."
    )

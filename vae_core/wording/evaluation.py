"""Sentences about the figures that a model has on a data set."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from vae_core.settings.choices import (
    COMPARABLE,
    DENSITY,
    LikelihoodName,
    is_density,
    is_of_levels,
    pixels_as,
)
from vae_core.settings.protocol import DRAWN_FROM, Protocol
from vae_core.wording.numbers import ERROR_NOT_KNOWN

_AT_LEAST = (
    "log p(x) is estimated from below, so the gap and its approximation part are at least as large "
    "as stated, apart from their errors"
)


def evaluation_sentence(figures: Mapping[str, Any], likelihood: LikelihoodName) -> str:
    """State log p(x) and the ELBO with their errors and protocol; bits/dim of 8-bit values.

    Args:
        figures: the result of :func:`vae_core.analysis.evaluation.evaluate`.
    """
    notes = (_reached(figures),) if "se_wanted" in figures else ()
    bound = "ELBO" if figures["proposal"] == "encoder" else f"ELBO of {DRAWN_FROM['encoder']}"
    return (
        f"log p(x) = {_with_error(figures, 'log_px')}, {bound} = {_with_error(figures, 'elbo')} "
        f"({_protocol(figures, likelihood, *notes)}){_density_note(likelihood)}"
        f"{_bits_note(figures, likelihood)}"
    )


def _with_error(figures: Mapping[str, Any], name: str) -> str:
    """A mean over images with its standard error, which one image does not have."""
    value, se = figures[name], figures[f"{name}_se"]
    return (
        f"{value:.2f} nats ({ERROR_NOT_KNOWN})"
        if math.isnan(se)
        else f"{value:.2f} ± {se:.2f} nats"
    )


def gap_sentence(figures: Mapping[str, Any], likelihood: LikelihoodName) -> str:
    """State the gap as the sum of its two parts, with their errors and protocol.

    Args:
        figures: the result of :func:`vae_core.analysis.gap_evaluation.evaluate_gap`.
    """
    exact = figures["log_px_by"] == "quadrature"
    caveat = _density_note(likelihood) + (_not_exact(figures) if exact else f". {_AT_LEAST}")
    return (
        f"gap {figures['gap']:.3f} = approximation {figures['approximation']:.3f} ± "
        f"{figures['approximation_se']:.3f} + amortisation {figures['amortisation']:.3f} ± "
        f"{figures['amortisation_se']:.3f} nats; log p(x) = {figures['log_px']:.2f} by "
        f"{figures['log_px_by']} ({_protocol(figures, likelihood)}){caveat}"
    )


def _not_exact(figures: Mapping[str, Any]) -> str:
    """Say how many images have no exact log p(x); empty if all have one."""
    missed = round((1 - figures.get("share_reached", 1)) * figures["images"])
    if not missed:
        return ""
    return f". The quadrature did not reach its tolerance for {missed} of the images"


def _density_note(likelihood: LikelihoodName) -> str:
    return f". log p(x) is {DENSITY}" if is_density(likelihood) else ""


def _bits_note(figures: Mapping[str, Any], likelihood: LikelihoodName) -> str:
    """State bits per dimension of 8-bit values, and whether published ones can be compared."""
    if not is_of_levels(likelihood) or figures.get("bits_per_dim") is None:
        return ""
    comparable = f", {COMPARABLE}" if figures.get("bits_per_dim_comparable") else ""
    return f". {figures['bits_per_dim']:.3f} bits/dim{comparable}"


def _protocol(figures: Mapping[str, Any], likelihood: LikelihoodName, *notes: str) -> str:
    protocol = Protocol.from_dict(figures)
    if notes:  # which say how many samples there were
        protocol = dataclasses.replace(protocol, importance_samples=None)
    return protocol.text(*notes, pixels=pixels_as(figures["binarisation"], likelihood))


def _reached(figures: Mapping[str, Any]) -> str:
    """State the number of samples for the wanted standard error, and how many images missed it."""
    missed = figures["images_not_reached"]
    return (
        f"K = {figures['importance_samples_mean']:.0f} on average from "
        f"{DRAWN_FROM[figures['proposal']]} until the standard error of an "
        f"image is {figures['se_wanted']:g} nats, {missed or 'no'} "
        f"{'image' if missed == 1 else 'images'} above it"
    )

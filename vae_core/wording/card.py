"""Write the model card of a published model, in Markdown."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from vae_core.settings.choices import COMPARABLE, DENSITY
from vae_core.settings.config import RunConfig
from vae_core.wording.training_parts import parts_sentence

_PART = """

Figures of other images, the first {} alone, which cannot be compared with those above:

| figure | value |
| --- | --- |"""

_FILES = """\
In the folder: posterior means and labels of test images (`latents.npz`), scores of the test
images (`held_out.safetensors`) and of example images (`examples.safetensors`), what a verdict is
calibrated by (`calibration.safetensors`), and how well it tells foreign images apart
(`detection.json`)."""
_GIVEN_CLASS = "In the folder: scores of the test images (`held_out.safetensors`)."


@dataclass(frozen=True)
class Training:
    """Facts about a training.

    Attributes:
        best_epoch: the kept epoch.
        chosen_by: why it is the kept one, in words (:mod:`vae_core.wording.kept_epoch`).
        seconds: the duration.
        device: what it was trained on.
    """

    best_epoch: int
    chosen_by: str
    seconds: float
    device: str


def card(
    name: str,
    config: RunConfig,
    figures: Mapping[str, Any],
    training: Training,
    weights: int,
    command: str,
) -> str:
    """Describe a model in Markdown: its figures, its training and its settings.

    Args:
        weights: size of the model file in bytes.
        command: the command that makes the model again.
    """
    settings = {
        setting: value
        for setting, value in config.settings().items()
        if setting not in ("title", "device", "importance_every")
    }
    table = "\n".join(f"| {setting} | {value} |" for setting, value in settings.items())
    refined = figures["refined"]
    same = refined["images"] == figures["images"]
    parts = f"\n{said}" if (said := parts_sentence(config)) else ""
    own_table = "" if same else _PART.format(refined["images"])
    return f"""# {name}

| figure | value |
| --- | --- |
| log p(x) | {figures["log_px"]:.2f} ± {figures["log_px_se"]:.2f} nats |
| ELBO | {figures["elbo"]:.2f} ± {figures["elbo_se"]:.2f} nats |
| E log p(x given z) | {figures["expected_log_likelihood"]:.2f} nats |
| KL(q ‖ p) | {figures["kl"]:.2f} nats |
| bits per dimension | {_bits(figures)} |
| mean effective sample size | {figures["ess"]:.0f} of {figures["importance_samples"]} |
| share of images with Pareto k above 0.7 | {figures["share_pareto_k_above_0_7"]:.3f} |{own_table}
| log p(x), refined | {refined["log_px"]:.2f} ± {refined["log_px_se"]:.2f} nats |
| mean effective sample size, refined | {refined["ess"]:.0f} of {figures["importance_samples"]} |
| share of images with Pareto k above 0.7, refined | {refined["share_pareto_k_above_0_7"]:.3f} |

Protocol: {figures["dataset"]}, {figures["split"]} split, {figures["images"]} images,
{_pixels(figures)}, log p(x) by importance sampling with
K = {figures["importance_samples"]} and seed {figures["seed"]}, from q(z|x) and, *refined*, from a
Gaussian fitted to each of the first {refined["images"]} images. ± is the standard error of the mean
over images. The weights are those of epoch {training.best_epoch}, {training.chosen_by}.{parts}

Trained for {training.seconds:.0f} s on {training.device} ({_machine()}),
{weights / 1024:.0f} KiB of weights. Made by `{command}`.

{_GIVEN_CLASS if config.model.is_conditional else _FILES}

| setting | value |
| --- | --- |
{table}
"""


def _pixels(figures: Mapping[str, Any]) -> str:
    binarisation, seed = figures["binarisation"], figures["seed"]
    if binarisation == "none":
        return "pixels as they are, not binarised"
    return f"{binarisation} binarisation drawn once with seed {seed}"


def _bits(figures: Mapping[str, Any]) -> str:
    if (bits := figures["bits_per_dim"]) is None:
        return f"none, because log p(x) is {DENSITY}"
    return f"{bits:.4f}" + (f", {COMPARABLE}" if figures.get("bits_per_dim_comparable") else "")


def _machine() -> str:
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"

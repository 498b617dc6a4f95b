"""A finished run as a model that comes with the program: small, with a card, and with figures of
the weights as they are kept.

``latents.npz`` holds the posterior means of the test images, rounded to hundredths, and their
labels; no image is in the folder.
"""

import dataclasses
import json
import math
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.calibration import calibration_steps
from vae_core.choices import ProposalName
from vae_core.config import Binarisation
from vae_core.datasets import Dataset, evaluation_images, load_dataset
from vae_core.detection import IMAGES as FOREIGN_IMAGES
from vae_core.detection import detection_steps
from vae_core.estimators import LogDensity
from vae_core.evaluation import EVALUATION_SEED, evaluate
from vae_core.files import replace_file
from vae_core.neighbours import posterior_means
from vae_core.runs import Run, Status
from vae_core.steps import finish
from vae_core.vae import VAE, load_model, save_model

IMPORTANCE_SAMPLES = 5000
_ROWS = 50
_REFINED = ("log_px", "log_px_se", "images", "ess", "share_pareto_k_above_0_7")
_LARGE = 1_000_000  # bytes of weights


def publish(
    run: Run,
    folder: Path,
    command: str,
    images: int | None = None,
    refined_images: int | None = None,
) -> Path:
    """Copy what is needed to use a finished run, with final figures and a card.

    Weights of more than a megabyte are rounded to float16, and all figures are of the rounded ones.
    Checkpoints and snapshots are left out, and the metrics are thinned to about 50 epochs and five
    digits. The folder is replaced at the end, when the new one is whole; what was scored before a
    stop is kept beside the run.

    Args:
        command: what makes the model again, for its card.
        images: how many test images its figures are of; all of them if None.
        refined_images: how many the figures with refined proposals are of; as many if None.
    """
    staged = run.folder / "published" / run.folder.name
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    shutil.copyfile(run.folder / "config.json", staged / "config.json")
    _copy_weights(run.folder, staged)
    status = dataclasses.replace(run.status(), pid=None, terms={}, phase="")
    replace_file(staged / "status.json", json.dumps(dataclasses.asdict(status)))
    replace_file(staged / "metrics.jsonl", _thinned(run.metrics()))

    model, data = load_model(staged), load_dataset(run.config.dataset)
    figures, scores = _evaluate(run, model, data, images, "encoder")
    refined, _ = _evaluate(run, model, data, refined_images or images, "refined")
    figures = {**figures, "refined": {name: refined[name] for name in _REFINED}}
    held_out = {"log_px": scores.log_px.float(), "elbo": scores.elbo.float()}
    replace_file(staged / "held_out.safetensors", save(held_out))
    replace_file(staged / "evaluation.json", json.dumps(figures, indent=2) + "\n")
    published = Run.open(staged)
    calibration = finish(calibration_steps(published, model, data))
    calibration.write(staged)
    finish(detection_steps(model, data, calibration, FOREIGN_IMAGES)).write(staged)
    _keep_latents(staged / "latents.npz", model, data, run.config.train.binarisation)
    replace_file(staged / "card.md", card(published, figures, status, command))
    _replace_folder(staged, folder)
    shutil.rmtree(staged)
    return folder


def _evaluate(
    run: Run, model: VAE, data: Dataset, images: int | None, proposal: ProposalName
) -> tuple[dict[str, Any], LogDensity]:
    """Figures of the first test images; what is scored already is kept beside the run."""
    kept = run.folder / f"test_scores_{proposal}.safetensors"
    binarisation = run.config.train.binarisation
    return evaluate(
        model,
        data,
        "test",
        binarisation,
        IMPORTANCE_SAMPLES,
        images,
        kept=kept,
        proposal=proposal,
    )


def _replace_folder(source: Path, target: Path) -> None:
    """Put a copy in place of a folder, which is there until the copy is whole."""
    target = target.resolve()
    fresh, former = (target.with_name(f".{target.name}.{name}") for name in ("new", "old"))
    for leftover in filter(Path.exists, (fresh, former)):
        shutil.rmtree(leftover)
    shutil.copytree(source, fresh)
    if target.exists():
        target.rename(former)
    fresh.rename(target)
    if former.exists():
        shutil.rmtree(former)


def _copy_weights(source: Path, target: Path) -> None:
    model, path = load_model(source), source / "model.safetensors"
    if path.stat().st_size < _LARGE:
        shutil.copyfile(path, target / path.name)
    else:
        save_model(model, target / path.name, rounded(model.state_dict()))


def rounded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights as float16, which takes half the room."""
    return {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }


def _thinned(rows: list[dict[str, Any]]) -> str:
    step = math.ceil(len(rows) / _ROWS)
    kept = [row for row in rows if row["epoch"] % step == 0 or row["epoch"] in (1, len(rows))]
    return "".join(json.dumps(_to_five_digits(row)) + "\n" for row in kept)


def _to_five_digits(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _to_five_digits(each) for name, each in value.items()}
    return [_to_five_digits(each) for each in value] if isinstance(value, list) else value


def _keep_latents(path: Path, model: VAE, data: Dataset, binarisation: Binarisation) -> None:
    x, labels = evaluation_images(data, "test", binarisation, EVALUATION_SEED)
    means = posterior_means(model, x).double().numpy().round(2).astype(np.float16)
    with path.open("wb") as file:
        np.savez_compressed(file, mean=means, label=labels.numpy().astype(np.uint8))


def card(run: Run, figures: Mapping[str, Any], status: Status, command: str) -> str:
    """What the model is, how good, and how it was made, in Markdown."""
    settings = {
        name: value
        for name, value in run.config.settings().items()
        if name not in ("title", "device", "importance_every")
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
    refined = figures["refined"]
    by = "refined"
    if refined["images"] != figures["images"]:
        by = f"refined, first {refined['images']} images alone"
    weights = (run.folder / "model.safetensors").stat().st_size
    return f"""# {run.name}

| figure | value |
| --- | --- |
| log p(x) | {figures["log_px"]:.2f} ± {figures["log_px_se"]:.2f} nats |
| ELBO | {figures["elbo"]:.2f} ± {figures["elbo_se"]:.2f} nats |
| E log p(x given z) | {figures["expected_log_likelihood"]:.2f} nats |
| KL(q ‖ p) | {figures["kl"]:.2f} nats |
| bits per dimension | {figures["bits_per_dim"]:.4f} |
| mean effective sample size | {figures["ess"]:.0f} of {figures["importance_samples"]} |
| share of images with Pareto k above 0.7 | {figures["share_pareto_k_above_0_7"]:.3f} |
| log p(x), {by} | {refined["log_px"]:.2f} ± {refined["log_px_se"]:.2f} nats |
| mean effective sample size, {by} | {refined["ess"]:.0f} of {figures["importance_samples"]} |
| share of images with Pareto k above 0.7, {by} | {refined["share_pareto_k_above_0_7"]:.3f} |

Protocol: {figures["dataset"]}, {figures["split"]} split, {figures["images"]} images,
{figures["binarisation"]} binarisation drawn once with seed {figures["seed"]}, log p(x) by
importance sampling with K = {figures["importance_samples"]}, from q(z|x) and, *refined*, from a
Gaussian fitted to each of the first {refined["images"]} images. ± is the standard error of the mean
over images. The weights are those of epoch {status.best_epoch}, the best on the validation split.

Trained for {status.seconds:.0f} s on {status.device} ({_machine()}), {weights / 1024:.0f} KiB of
weights. Made by `{command}`.

In the folder: posterior means and labels of the test images (`latents.npz`), scores of the test
images (`held_out.safetensors`), what a verdict is calibrated by (`calibration.safetensors`), and
how well it tells foreign images apart (`detection.json`).

| setting | value |
| --- | --- |
{table}
"""


def _machine() -> str:
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"

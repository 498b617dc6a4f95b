"""Publish a finished run as a pretrained model: a small folder with figures and a model card.

The figures are those of the weights as they are stored. ``latents.npz`` holds the posterior means
of the test images, rounded to hundredths, and their labels. The folder contains no image.
"""

import dataclasses
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from vae_core.analysis.evaluation import evaluate
from vae_core.analysis.resumable import kept_log_density
from vae_core.basics.files import replace_plain
from vae_core.basics.plain_files import MAX_JSON_BYTES, check_folder, read_plain
from vae_core.basics.progress import result_of
from vae_core.basics.strict_json import strict_json
from vae_core.data.datasets import Dataset
from vae_core.data.kept import DATASET_FILE, MAX_RECORD_BYTES
from vae_core.data.pixels import evaluation_images
from vae_core.inference.importance import LogDensity
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model, save_model
from vae_core.runs.kept_examples import write_examples
from vae_core.runs.kept_latents import write_latents
from vae_core.runs.metrics import line_of
from vae_core.runs.own_data import dataset_of
from vae_core.runs.records import calibrate_steps, write_calibration, write_detection
from vae_core.runs.run import (
    CONFIG_FILE,
    EVALUATION_FILE,
    HELD_OUT_FILE,
    METRICS_FILE,
    STATUS_FILE,
    WEIGHTS_FILE,
    Run,
)
from vae_core.scoring.calibration import TRAINING_IMAGES
from vae_core.scoring.detection import IMAGES as FOREIGN_IMAGES
from vae_core.scoring.detection import detection_steps
from vae_core.settings.choices import ProposalName
from vae_core.settings.protocol import EVALUATION_SEED
from vae_core.wording.card import Training, card
from vae_core.wording.kept_epoch import chosen_by

IMPORTANCE_SAMPLES = 5000
CALIBRATION_IMAGES = 8000
"""Held-out images of a calibration, so that verdicts are about as strict for each class."""
_ROWS = 50
_REFINED = ("log_px", "log_px_se", "images", "ess", "share_pareto_k_above_0_7")
_LARGE = 1_000_000  # bytes of weights


@dataclass(frozen=True)
class Effort:
    """How much work the figures of a published model may take.

    Attributes:
        images: number of test images for the figures; None means all.
        refined_images: number of test images for the figures with refined proposals; None means
            the same number.
        samples: K of both figures; None means :data:`IMPORTANCE_SAMPLES`.
        foreign_images: images of each kind for the detection of foreign images; None means the
            usual number.
        training_images: training images whose latents the calibration keeps; None means the usual
            number.
        calibration_images: held-out images of the calibration; None means
            :data:`CALIBRATION_IMAGES`.
        latents: test images whose posterior means are kept; None means all.
    """

    images: int | None = None
    refined_images: int | None = None
    samples: int | None = None
    foreign_images: int | None = None
    training_images: int | None = None
    calibration_images: int | None = None
    latents: int | None = None


_ALL = Effort()


def publish(run: Run, folder: Path, command: str, effort: Effort = _ALL) -> Path:
    """Copy the files that are needed to use a finished run, and add final figures and a card.

    Weights of more than a megabyte are rounded to float16, and all figures are computed with the
    rounded weights. Checkpoints and snapshots are left out. The metrics are thinned to about 50
    epochs and rounded to five digits. The target folder is replaced at the end, when the new one
    is complete. Scores computed before an interruption are kept in the folder of the run.

    Args:
        command: the command that makes the model again, for its card.
        effort: how much work the figures may take; by default, all test images count.
    """
    staged = run.folder / "published" / run.folder.name
    check_folder(staged.parent)
    check_folder(staged)
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    replace_plain(staged / CONFIG_FILE, read_plain(run.folder / CONFIG_FILE, MAX_JSON_BYTES))
    _copy_weights(run.folder, staged)
    status = dataclasses.replace(run.status(), pid=None, terms={}, phase="")
    replace_plain(staged / STATUS_FILE, json.dumps(dataclasses.asdict(status)))
    replace_plain(staged / METRICS_FILE, _thinned(run.metrics()))
    if run.config.kept_info is not None:
        replace_plain(
            staged / DATASET_FILE, read_plain(run.folder / DATASET_FILE, MAX_RECORD_BYTES)
        )

    model, data = load_model(staged), dataset_of(run)
    figures, scores = _evaluate(run, model, data, effort, "encoder")
    refined, _ = _evaluate(run, model, data, effort, "refined")
    figures = {**figures, "refined": {name: refined[name] for name in _REFINED}}
    held_out = {"log_px": scores.log_px.float(), "elbo": scores.elbo.float()}
    replace_plain(staged / HELD_OUT_FILE, save(held_out))
    replace_plain(staged / EVALUATION_FILE, strict_json(figures, indent=2) + "\n")
    published = Run.open(staged)
    if not run.config.model.is_conditional:  # a verdict needs figures of p(x) alone
        _judge(published, model, data, effort)
    trained = Training(
        status.best_epoch, chosen_by(run.kept_epoch()), status.seconds, status.device
    )
    weights = (staged / WEIGHTS_FILE).stat().st_size
    about = card(published.name, published.config, figures, trained, weights, command)
    replace_plain(staged / "card.md", about)
    _replace_folder(staged, folder)
    shutil.rmtree(staged)
    return folder


def _judge(published: Run, model: VAE, data: Dataset, effort: Effort) -> None:
    """Add what a verdict needs: a calibration, how well it detects foreign images, latents."""
    folder, binarisation = published.folder, published.config.train.binarisation
    seen = effort.training_images or TRAINING_IMAGES
    held_out = effort.calibration_images or CALIBRATION_IMAGES
    steps = calibrate_steps(published, model, data, held_out, training_images=seen)
    calibration = result_of(steps)
    write_calibration(calibration, folder)
    write_examples(published, model, data, calibration)
    of_a_kind = effort.foreign_images or FOREIGN_IMAGES
    write_detection(result_of(detection_steps(model, data, calibration, of_a_kind)), folder)
    x, labels = evaluation_images(data, "test", binarisation, EVALUATION_SEED, effort.latents)
    write_latents(published, model, x, labels)


def _evaluate(
    run: Run, model: VAE, data: Dataset, effort: Effort, proposal: ProposalName
) -> tuple[dict[str, Any], LogDensity]:
    """Evaluate the first test images. Finished scores are kept in the run's folder, to resume."""
    images = effort.images if proposal == "encoder" else effort.refined_images or effort.images
    kept = run.folder / f"test_scores_{proposal}.safetensors"
    binarisation = run.config.train.binarisation
    return evaluate(
        model,
        data,
        "test",
        binarisation,
        effort.samples or IMPORTANCE_SAMPLES,
        images,
        estimate=partial(kept_log_density, kept=kept, proposal=proposal),
        proposal=proposal,
    )


def _replace_folder(source: Path, target: Path) -> None:
    """Replace a folder by a copy. The old folder stays until the copy is complete."""
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
    model, path = load_model(source), source / WEIGHTS_FILE
    if path.stat().st_size < _LARGE:
        replace_plain(target / path.name, read_plain(path, _LARGE))
    else:
        save_model(model, target / path.name, rounded(model.state_dict()))


def rounded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Round the weights to float16, which takes half the space."""
    return {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }


def _thinned(rows: list[dict[str, Any]]) -> str:
    step = math.ceil(len(rows) / _ROWS)
    kept = [row for row in rows if row["epoch"] % step == 0 or row["epoch"] in (1, len(rows))]
    return "".join(line_of(_to_five_digits(row)) for row in kept)


def _to_five_digits(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _to_five_digits(each) for name, each in value.items()}
    return [_to_five_digits(each) for each in value] if isinstance(value, list) else value

"""Calibrate the scores of a run and try them on foreign images, and keep both beside the run.

Used by the commands ``score``, ``calibrate`` and ``detect`` and by the Score page.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from vae_core.basics.progress import Step, mapped, part_of
from vae_core.data.datasets import Dataset
from vae_core.model.vae import VAE
from vae_core.runs.records import calibrate_steps, calibration_of, write_record
from vae_core.runs.run import Run
from vae_core.scoring.calibration import IMAGES as CALIBRATION_IMAGES
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.detection import FEWEST_IMAGES, IMAGES, DetectionReport, detection_steps
from vae_core.settings.data_sets import Split

_CALIBRATING = 0.1  # of the work of a detection, about, where there is no calibration yet

Record = TypeVar("Record", Calibration, DetectionReport)
T = TypeVar("T")


@dataclass(frozen=True)
class Kept(Generic[T]):
    """A record, and why it does not lie beside the run: empty where it does."""

    record: T
    not_kept: str = ""


def new_calibration_steps(
    run: Run,
    model: VAE,
    data: Dataset,
    images: int = CALIBRATION_IMAGES,
    seed: int = 0,
    weights: str | None = None,
) -> Iterator[Step[Kept[Calibration]]]:
    """Calibrate a run and keep the calibration beside it, in place of any other.

    Args:
        model, data: the run's.
        images: validation images, at most.
        weights: ``run.checkpoint_digest()`` when the model was loaded, if that was not just now.

    Yields:
        The share that is done; with the last step the record.
    """
    known = weights or run.checkpoint_digest()
    steps = calibrate_steps(run, model, data, images, seed)
    return mapped(steps, lambda found: Kept(found, _keep(found, run, known)))


def current_calibration_steps(
    run: Run, model: VAE, data: Dataset, weights: str | None = None
) -> Iterator[Step[Kept[Calibration]]]:
    """Read the calibration of a run; where there is no current one, make it and keep it.

    Args, Yields: as for :func:`new_calibration_steps`.

    Raises:
        RunError: if the calibration is damaged.
    """
    found = calibration_of(run)
    if found is not None:
        return iter([Step(1.0, Kept(found))])
    return new_calibration_steps(run, model, data, weights=weights)


def new_detection_steps(
    run: Run,
    model: VAE,
    data: Dataset,
    images: int = IMAGES,
    seed: int = 0,
    own_kinds: Mapping[str, Tensor] | None = None,
    weights: str | None = None,
) -> Iterator[Step[Kept[DetectionReport]]]:
    """Try the scores of a run on foreign images, and keep the report beside the run.

    A run that has no current calibration is calibrated first.

    Args:
        images: test images, at most, and as many of each foreign kind.
        own_kinds: more kinds by name, uint8, (N, C, H, W). A report on them is not kept.
        weights: as for :func:`new_calibration_steps`.

    Yields:
        The share that is done; with the last step the record.

    Raises:
        RunError: if the calibration is damaged.
    """
    known = weights or run.checkpoint_digest()
    begin = _CALIBRATING if calibration_of(run) is None else 0.0
    calibration: Calibration | None = None
    for step in part_of(current_calibration_steps(run, model, data, known), 0.0, begin):
        if step.result is None:
            yield Step(step.share)
        else:
            calibration = step.result.record
    assert calibration is not None
    detecting = detection_steps(model, data, calibration, images, seed, own_kinds)

    def kept(report: DetectionReport) -> Kept[DetectionReport]:
        why_not = _not_to_keep(report, data, own_kinds) or _keep(report, run, known)
        return Kept(report, why_not)

    yield from mapped(part_of(detecting, begin, 1.0), kept)


def fewest(wanted: int, data: Dataset, split: Split) -> int:
    """The number wanted, or all images of the split if it has fewer."""
    return min(wanted, len(data.split(split)[0]))


def _not_to_keep(
    report: DetectionReport, data: Dataset, own_kinds: Mapping[str, Tensor] | None
) -> str:
    """Say why a report is of use to its reader alone; nothing if it is not."""
    if own_kinds:
        return "the report is about folders of your own."
    smallest = fewest(FEWEST_IMAGES, data, "test")
    few = report.own_images < smallest
    return f"it is of {report.own_images} own images, not {smallest} or more." if few else ""


def _keep(found: Record, run: Run, weights: str) -> str:
    """Write a record beside a run; return why that was not done, which is no reason to lose it."""
    if run.checkpoint_digest() != weights:
        return "the run has other weights by now."
    try:
        write_record(found, run.folder)
    except OSError as error:
        return str(error)
    return ""

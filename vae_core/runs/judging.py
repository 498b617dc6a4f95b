"""Calibrate the scores of a run, test them on foreign images, and keep both results in its folder.

Used by the commands ``score``, ``calibrate`` and ``detect`` and by the Score page.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from vae_core.basics.progress import Step, mapped, part_of
from vae_core.data.datasets import Dataset
from vae_core.model.vae import VAE
from vae_core.runs.records import calibrate_steps, calibration_of, detection_of, write_record
from vae_core.runs.run import Run
from vae_core.scoring.calibration import IMAGES as CALIBRATION_IMAGES
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.detection import (
    FEWEST_IMAGES,
    IMAGES,
    DetectionReport,
    detection_steps,
    joined,
    kinds_for,
)
from vae_core.settings.data_sets import Split

_CALIBRATING = 0.1  # approximate share of a detection's work, if the run is not calibrated yet

Record = TypeVar("Record", Calibration, DetectionReport)
T = TypeVar("T")


@dataclass(frozen=True)
class Kept(Generic[T]):
    """A record, and the reason why it was not saved in the run's folder (empty if it was)."""

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
    """Calibrate a run and save the calibration in its folder, in place of any former one.

    Args:
        model, data: the model and the data set of the run.
        images: largest number of validation images to use.
        weights: ``run.checkpoint_digest()`` when the model was loaded, if that was not just now.

    Yields:
        The share of the work that is done; the last step has the record.
    """
    known = weights or run.checkpoint_digest()
    steps = calibrate_steps(run, model, data, images, seed)
    return mapped(steps, lambda found: Kept(found, _save(found, run, known)))


def current_calibration_steps(
    run: Run, model: VAE, data: Dataset, weights: str | None = None
) -> Iterator[Step[Kept[Calibration]]]:
    """Read the calibration of a run; if no current one exists, make and save it.

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
    only: Collection[str] | None = None,
) -> Iterator[Step[Kept[DetectionReport]]]:
    """Test the scores of a run on foreign images, and save the report in the run's folder.

    A run without a current calibration is calibrated first.

    Args:
        images: largest number of test images, and of images of each foreign kind.
        own_kinds: more kinds by name, uint8, (N, C, H, W). A report on them is not saved.
        weights: as for :func:`new_calibration_steps`.
        only: as for :func:`vae_core.scoring.detection.detection_steps`. Such a report is not saved.

    Yields:
        The share of the work that is done; the last step has the record.

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
    detecting = detection_steps(model, data, calibration, images, seed, own_kinds, only)

    def kept(report: DetectionReport) -> Kept[DetectionReport]:
        why_not = _reason_not_to_save(report, data, own_kinds, only) or _save(report, run, known)
        return Kept(report, why_not)

    yield from mapped(part_of(detecting, begin, 1.0), kept)


def completed_detection_steps(
    run: Run, model: VAE, data: Dataset, weights: str | None = None
) -> Iterator[Step[Kept[DetectionReport]]]:
    """Add the kinds of foreign images that the saved report of a run lacks; keep its others.

    The added figures are those of a new report with the same test images and seed. Without a saved
    report, or if the calibration changed since, a new one is made.

    Args, Yields, Raises: as for :func:`new_detection_steps`.
    """
    known = weights or run.checkpoint_digest()
    report, calibration = detection_of(run), calibration_of(run)
    if report is None or calibration is None or report.calibration != calibration.protocol:
        yield from new_detection_steps(run, model, data, weights=known)
        return
    lacking = [name for name in kinds_for(data.name) if name not in report.kinds]
    if not lacking:
        yield Step(1.0, Kept(report))
        return

    def kept(more: DetectionReport) -> Kept[DetectionReport]:
        complete = joined(report, more)
        return Kept(complete, _save(complete, run, known))

    steps = detection_steps(model, data, calibration, report.own_images, report.seed, only=lacking)
    yield from mapped(steps, kept)


def fewest(wanted: int, data: Dataset, split: Split) -> int:
    """Return the number of images wanted, or the size of the split if it is smaller."""
    return min(wanted, len(data.split(split)[0]))


def _reason_not_to_save(
    report: DetectionReport,
    data: Dataset,
    own_kinds: Mapping[str, Tensor] | None,
    only: Collection[str] | None,
) -> str:
    """Explain why a report is of no use to other readers; empty if it is of use."""
    if own_kinds:
        return "the report is about folders of your own."
    if only is not None:
        return "the report is about some kinds of foreign images only."
    smallest = fewest(FEWEST_IMAGES, data, "test")
    few = report.own_images < smallest
    return f"it uses {report.own_images} own images, fewer than {smallest}." if few else ""


def _save(found: Record, run: Run, weights: str) -> str:
    """Write a record into a run's folder; return why it was not written (empty if it was).

    No error is raised, so that the record itself is not lost.
    """
    if run.checkpoint_digest() != weights:
        return "the run has other weights now."
    try:
        write_record(found, run.folder)
    except OSError as error:
        return str(error)
    return ""

"""Measurements of a model: encodings, held-out scores, calibration, detection report."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from app.services.byte_cache import cached
from app.services.data import images
from app.services.models import Choice, model
from vae_core.runs.run import (
    CALIBRATION_FILE,
    DETECTION_FILE,
    EVALUATION_FILE,
    EXAMPLES_FILE,
    HELD_OUT_FILE,
    OPERATING_POINT_FILE,
    RunError,
)
from vae_core.settings.data_sets import Split

if TYPE_CHECKING:
    from vae_core.analysis.latent import Encoded
    from vae_core.runs.kept_examples import KeptExamples
    from vae_core.runs.operating_points import UsualRate
    from vae_core.runs.records import HeldOut
    from vae_core.scoring.calibration import Calibration
    from vae_core.scoring.detection import DetectionReport

_Read = TypeVar("_Read")
_log = logging.getLogger("elbo_room")


def encoded(choice: Choice, split: Split, limit: int | None = None) -> "Encoded":
    """Encode a split of the choice's data set; return the posterior moments."""
    return _encoded(choice, choice.key, choice.digest, split, limit)


@cached(max_entries=8, show_spinner="Encoding the images")
def _encoded(_choice: Choice, key: str, digest: str, split: Split, limit: int | None) -> "Encoded":
    from vae_core.analysis.latent import encode

    config = _choice.run.config
    x, _ = images(config.dataset, split, config.train.binarisation)
    return encode(model(_choice), x[:limit])


def held_out(choice: Choice) -> "HeldOut | None":
    """Read the scores of test images under the choice's model; None if they do not exist or are
    damaged. A run writes them when it is finished."""
    found = _held_out_or_error(choice)
    return None if isinstance(found, RunError) else found


def calibration(choice: Choice) -> "Calibration | None":
    """Read the calibration in the choice's run folder; None if it does not exist or is damaged."""
    found = _calibration_or_error(choice)
    return None if isinstance(found, RunError) else found


def damage(choice: Choice) -> RunError | None:
    """Return why the calibration in the run folder is damaged; None if it can be read."""
    found = _calibration_or_error(choice)
    return found if isinstance(found, RunError) else None


def _held_out_or_error(choice: Choice) -> "HeldOut | RunError | None":
    return _held_out(
        choice, *choice.weights(), *_modification_times(choice, EVALUATION_FILE, HELD_OUT_FILE)
    )


@cached(max_entries=16)
def _held_out(_choice: Choice, key: str, digest: str, *written: int) -> "HeldOut | RunError | None":
    from vae_core.runs.records import held_out_of

    return _read_or_log(lambda: held_out_of(_choice.run))


def _calibration_or_error(choice: Choice) -> "Calibration | RunError | None":
    return _calibration(choice, *choice.weights(), *_modification_times(choice, CALIBRATION_FILE))


@cached(max_entries=16)
def _calibration(
    _choice: Choice, key: str, digest: str, *written: int
) -> "Calibration | RunError | None":
    from vae_core.runs.records import calibration_of

    return _read_or_log(lambda: calibration_of(_choice.run))


def kept_examples(choice: Choice) -> "KeptExamples | None":
    """Read the reports of example images that come with a model; None without any."""
    return _kept_examples(choice, *choice.weights(), *_modification_times(choice, EXAMPLES_FILE))


@cached(max_entries=16)
def _kept_examples(_choice: Choice, key: str, digest: str, *written: int) -> "KeptExamples | None":
    from vae_core.runs.kept_examples import examples_of

    return examples_of(_choice.run)


def judged_by(choice: Choice) -> tuple[int, ...]:
    """Modification times of the calibration file; part of cache keys."""
    from vae_core.runs.records import CALIBRATION_FILE

    return _modification_times(choice, CALIBRATION_FILE)


def usual_rate(choice: Choice) -> "UsualRate":
    """The false-alarm rate of the choice's verdicts where no other is chosen."""
    written = _modification_times(choice, CALIBRATION_FILE, OPERATING_POINT_FILE)
    return _usual_rate(choice, *choice.weights(), _kept_elsewhere(), *written)


@cached(max_entries=64)
def _usual_rate(_choice: Choice, key: str, digest: str, *written: int) -> "UsualRate":
    from vae_core.runs.operating_points import usual_rate

    found = usual_rate(_choice.run)
    if found.note:
        _log.warning("%s", found.note)
    return found


def _modification_times(choice: Choice, *names: str) -> tuple[int, ...]:
    """Modification time of each of these files of a run folder, in ns; 0 for a missing file."""
    times = []
    for name in names:
        try:
            times.append((choice.run.folder / name).lstat().st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)


def _kept_elsewhere() -> int:
    """Modification time of the folder of operating points that are not in run folders; else 0."""
    from vae_core.runs.operating_points import folder

    try:
        return folder().stat().st_mtime_ns
    except OSError:
        return 0


def _read_or_log(read: Callable[[], _Read | None]) -> _Read | RunError | None:
    """Read a file of a run folder; if it is damaged, log the error and return it."""
    try:
        return read()
    except RunError as error:
        _log.warning("%s", error)
        return error


def detection(choice: Choice) -> "DetectionReport | None":
    """Read the detection report in the choice's run folder; None if it does not exist.

    Raises:
        RunError: if the report is damaged.
    """
    return _detection(choice, *choice.weights(), *_modification_times(choice, DETECTION_FILE))


@cached(max_entries=32)
def _detection(_choice: Choice, key: str, digest: str, *written: int) -> "DetectionReport | None":
    from vae_core.runs.records import detection_of

    return detection_of(_choice.run)

"""What has been measured of a model: encodings, held-out scores, calibration, detection."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from vae_core.runs.run import (
    CALIBRATION_FILE,
    DETECTION_FILE,
    EVALUATION_FILE,
    HELD_OUT_FILE,
    RunError,
)
from vae_core.settings.data_sets import Split

if TYPE_CHECKING:
    from vae_core.analysis.latent import Encoded
    from vae_core.runs.records import HeldOut
    from vae_core.scoring.calibration import Calibration
    from vae_core.scoring.detection import DetectionReport
from app.services.data import images
from app.services.models import Choice, model

_Read = TypeVar("_Read")
_log = logging.getLogger("elbo_room")


def encoded(choice: Choice, split: Split, limit: int | None = None) -> "Encoded":
    """Posterior moments of a split of the data that the choice was trained on."""
    return _encoded(choice, choice.key, choice.digest, split, limit)


@st.cache_resource(max_entries=8, show_spinner="Encoding the images")
def _encoded(_choice: Choice, key: str, digest: str, split: Split, limit: int | None) -> "Encoded":
    from vae_core.analysis.latent import encode

    config = _choice.run.config
    x, _ = images(config.dataset, split, config.train.binarisation, 0, limit)
    return encode(model(_choice), x)


def held_out(choice: Choice) -> "HeldOut | None":
    """Scores of test images under the choice's model, once its run is finished; None where there
    are none to be read."""
    found = _held_out_or_why(choice)
    return None if isinstance(found, RunError) else found


def calibration(choice: Choice) -> "Calibration | None":
    """The calibration beside the choice's run; None where there is none to be read."""
    found = _calibration_or_why(choice)
    return None if isinstance(found, RunError) else found


def damage(choice: Choice) -> RunError | None:
    """Why the calibration beside the run cannot be read, if it exists and is damaged."""
    found = _calibration_or_why(choice)
    return found if isinstance(found, RunError) else None


def _held_out_or_why(choice: Choice) -> "HeldOut | RunError | None":
    return _held_out(choice, *choice.weights(), *_written(choice, EVALUATION_FILE, HELD_OUT_FILE))


@st.cache_resource(max_entries=16, show_spinner=False)
def _held_out(_choice: Choice, key: str, digest: str, *written: int) -> "HeldOut | RunError | None":

    from vae_core.runs.records import held_out_of

    return _readable(lambda: held_out_of(_choice.run))


def _calibration_or_why(choice: Choice) -> "Calibration | RunError | None":
    return _calibration(choice, *choice.weights(), *_written(choice, CALIBRATION_FILE))


@st.cache_resource(max_entries=16, show_spinner=False)
def _calibration(
    _choice: Choice, key: str, digest: str, *written: int
) -> "Calibration | RunError | None":

    from vae_core.runs.records import calibration_of

    return _readable(lambda: calibration_of(_choice.run))


def judged_by(choice: Choice) -> tuple[int, ...]:
    """Modification times of the calibration file; part of cache keys."""
    from vae_core.runs.records import CALIBRATION_FILE

    return _written(choice, CALIBRATION_FILE)


def _written(choice: Choice, *names: str) -> tuple[int, ...]:
    """When each of these files beside a run was written last, in ns; 0 for one that is not."""
    times = []
    for name in names:
        try:
            times.append((choice.run.folder / name).stat().st_mtime_ns)
        except OSError:
            times.append(0)
    return tuple(times)


def _readable(read: Callable[[], _Read | None]) -> _Read | RunError | None:
    """What lies beside a run, or why it cannot be read, with a word in the log."""
    try:
        return read()
    except RunError as error:
        _log.warning("%s", error)
        return error


def detection(choice: Choice) -> "DetectionReport | None":
    """How well the scores of the choice's model tell foreign images apart, if that was kept.

    Raises:
        RunError: if what was kept is damaged.
    """
    return _detection(choice, *choice.weights(), *_written(choice, DETECTION_FILE))


@st.cache_resource(max_entries=32, show_spinner=False)
def _detection(_choice: Choice, key: str, digest: str, *written: int) -> "DetectionReport | None":

    from vae_core.runs.records import detection_of

    return detection_of(_choice.run)

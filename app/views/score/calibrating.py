"""The calibration of a model's scores: read from its run folder, or made on this page."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import streamlit as st

from app.parts import missing_data
from app.services import data, models, results
from app.services.models import Choice
from app.services.work import Task
from app.shell import errors
from app.views.score import on_request
from vae_core.runs.run import UNFINISHED

if TYPE_CHECKING:
    from vae_core.basics.progress import Step
    from vae_core.runs.judging import Kept
    from vae_core.scoring.calibration import Calibration
    from vae_core.scoring.judge import Judge


def calibration(choice: Choice) -> "Calibration | None":
    """Calibration from the run folder, or else the one that was made on this page."""
    found = results.calibration(choice)
    made = on_request.made(_task(choice))
    return found if found is not None or made is None else made.record


def why_not(choice: Choice, judge: "Judge") -> str:
    """Reason why a score has no percentile and no verdict; empty if it has them."""
    if judge.calibration is not None:
        return ""
    trained = choice.run.config.train.binarisation
    if judge.binarisation != trained:
        return (
            f"Held-out images are scored with {trained} binarisation, as in training; scores with "
            f"{judge.binarisation} cannot be compared with them."
        )
    damage = results.damage(choice)
    if damage is not None:
        return errors.sentence(damage)
    if choice.run.status().state in UNFINISHED:
        return (
            "The run is not finished. The held-out images that an image is compared with are "
            "scored at the end of training."
        )
    return "The scores of this model are not calibrated yet: no held-out images have been scored."


def offer(choice: Choice, judge: "Judge") -> None:
    """Draw a button that calibrates the scores, if a calibration is missing and possible."""
    if judge.calibration is not None:
        _warn_if_not_stored(choice)
        return
    is_other = judge.binarisation != choice.run.config.train.binarisation
    if is_other or choice.run.status().state in UNFINISHED:
        return
    if data.missing(choice):
        missing_data.note(choice, "Calibration needs images of")
        return
    on_request.begin(
        _task(choice),
        "score-calibrate",
        "This takes some seconds for a small model and a few minutes for a large one.",
        "Calibrate the scores",
        ":material/balance:",
        "Scores validation images. Every image is then compared with them. The result is stored "
        "in the run folder.",
    )


def _warn_if_not_stored(choice: Choice) -> None:
    """Say why a calibration that was made here could not be stored."""
    made = on_request.made(_task(choice))
    if made is not None and made.not_kept and results.calibration(choice) is None:
        st.caption(
            f"The calibration is kept only until the app ends: {errors.plain(made.not_kept)}"
        )


def _task(choice: Choice) -> "Task[Step[Kept[Calibration]]]":
    return Task(
        ("calibration", *choice.weights()),
        "Scoring validation images",
        lambda: _calibrated(choice),
        lambda state: state.share,
    )


def _calibrated(choice: Choice) -> "Iterator[Step[Kept[Calibration]]]":
    from vae_core.runs.judging import new_calibration_steps

    model, images = models.model(choice), data.dataset(choice.run.config.dataset)
    return new_calibration_steps(choice.run, model, images, weights=choice.digest)

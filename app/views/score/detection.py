"""How well a model's scores tell foreign images apart: what is known, or a way to find out."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import streamlit as st

from app.parts import missing_data
from app.services import data as data_
from app.services import models, results
from app.services.models import Choice
from app.services.work import Task
from app.shell import errors
from app.views.score import on_request
from app.views.score.desk import desk
from vae_core.runs.run import UNFINISHED, RunError

if TYPE_CHECKING:
    from vae_core.basics.progress import Step
    from vae_core.runs.judging import Kept
    from vae_core.scoring.detection import DetectionReport

_log = logging.getLogger("elbo_room")


def section(choice: Choice) -> None:
    """The report kept beside the run or made here; without one, why not, or a button."""
    with st.container(key="score-foreign"):
        st.subheader(
            "How well do these scores tell foreign images apart?",
            anchor=False,
            help="The scores themselves on trial: this model's own test images against images that "
            "are nothing like its training data, such as noise, stripes or shuffled pixels.",
        )
        try:
            report = results.detection(choice)
        except RunError as error:
            report = None
            st.warning(errors.sentence(error))
        kept, made = report is not None, on_request.made(_task(choice))
        if report is None and made is not None:
            report = made.record
        if report is not None:
            from app.views.score import detection_panels

            detection_panels.show(report, choice, kept)
        else:
            _find_out(choice)


def _find_out(choice: Choice) -> None:
    """The way to a report, or why there is none yet."""
    if choice.run.status().state in UNFINISHED:
        st.markdown("The model is still training: its scores can be evaluated once that has ended.")
    elif not data_.missing(choice):
        on_request.begin(
            _task(choice),
            "score-foreign",
            "The scores of this model have not been evaluated yet. That takes half a minute for a "
            "small model and some minutes for a large one; the rest of the page stays usable.",
            "Evaluate the scores",
            ":material/fact_check:",
            "Scores test images and foreign ones, and shows which score tells which of them "
            "apart; the result is kept beside the run.",
        )
    elif desk().uploads:
        missing_data.panel(choice, "The scores can be evaluated on its test images alone.")
    else:
        st.markdown(
            "The scores of this model have not been evaluated yet. That needs the images that are "
            "missing above."
        )


def _task(choice: Choice) -> "Task[Step[Kept[DetectionReport]]]":
    return Task(
        ("detection", *choice.weights()),
        "Scoring test images and foreign ones",
        lambda: _evaluated(choice),
        lambda state: state.share,
    )


def _evaluated(choice: Choice) -> "Iterator[Step[Kept[DetectionReport]]]":
    from vae_core.runs.judging import new_detection_steps

    model, data = models.model(choice), data_.dataset(choice.run.config.dataset)
    for step in new_detection_steps(choice.run, model, data, weights=choice.digest):
        yield step
        if step.result is not None and step.result.not_kept:
            _log.warning("Not kept beside the run %s: %s", choice.run.id, step.result.not_kept)

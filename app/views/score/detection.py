"""Evaluation of a model's scores on foreign images: the report, or a button that makes it."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.parts import missing_data
from app.services import data as data_service
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


def section(choice: Choice, steps: dict[str, Any]) -> None:
    """Show the report, or the reason why none exists, or a button that makes one.

    Args:
        steps: how files of the visitor's own are prepared.
    """
    with st.container(key="score-foreign"):
        st.header(
            "How well do these scores detect foreign images?",
            anchor=False,
            help="A test of the scores themselves: this model's own test images against images "
            "unlike its training data, such as noise, stripes or shuffled pixels.",
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
            from app.views.score import detection_panels, own_kinds

            detection_panels.show(own_kinds.with_own(report, choice, steps), choice, kept)
            own_kinds.section(report, choice, steps)
        else:
            _offer_evaluation(choice)


def _offer_evaluation(choice: Choice) -> None:
    """Draw a button that makes the report, or the reason why that is not possible yet."""
    if choice.run.status().state in UNFINISHED:
        st.markdown(
            "The model is still training. Its scores can be evaluated when training is done."
        )
    elif not data_service.missing(choice):
        on_request.begin(
            _task(choice),
            "score-foreign",
            "The scores of this model have not been evaluated yet. This takes half a minute for a "
            "small model and some minutes for a large one. You can use the page meanwhile.",
            "Evaluate the scores",
            ":material/fact_check:",
            "Scores test images and foreign images, and shows which score separates them. The "
            "result is stored in the run folder.",
        )
    elif desk().uploads:
        missing_data.panel(
            choice, "The scores can be evaluated only on the test images of the data set."
        )
    else:
        st.markdown(
            "The scores of this model have not been evaluated yet. The evaluation needs the data "
            "set that is missing (see above)."
        )


def _task(choice: Choice) -> "Task[Step[Kept[DetectionReport]]]":
    return Task(
        ("detection", *choice.weights()),
        "Scoring test images and foreign images",
        lambda: _evaluated(choice),
        lambda state: state.share,
    )


def _evaluated(choice: Choice) -> "Iterator[Step[Kept[DetectionReport]]]":
    from vae_core.runs.judging import new_detection_steps

    model, data = models.model(choice), data_service.dataset(choice.run.config.dataset)
    for step in new_detection_steps(choice.run, model, data, weights=choice.digest):
        yield step
        if step.result is not None and step.result.not_kept:
            _log.warning(
                "Could not store the report of run %s: %s", choice.run.id, step.result.not_kept
            )

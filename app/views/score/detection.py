"""How well a model's scores tell foreign images apart: what is known, or a way to find out."""

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from app.parts import live, missing_data
from app.services import data as data_
from app.services import models, results
from app.services.models import Choice
from app.services.work import Bench, Task
from app.shell import errors
from app.views.score.desk import desk
from vae_core.runs.run import UNFINISHED, RunError

if TYPE_CHECKING:
    from vae_core.scoring.calibration import Calibration
    from vae_core.scoring.detection import DetectionReport

T = TypeVar("T")

_CALIBRATING = 0.1  # of the work, about, where there is no calibration yet
_ASKED = "score-foreign-asked"
_log = logging.getLogger("elbo_room")


@dataclass(frozen=True)
class Evaluation:
    """Where the evaluation of a model's scores stands; the report is there at its end."""

    share: float
    report: "DetectionReport | None" = None


def section(choice: Choice) -> None:
    """The report kept beside the run or made here; without one, why not, or a button."""
    with st.container(key="score-foreign"):
        st.subheader(
            "How well do these scores tell foreign images apart?",
            anchor=False,
            help="The scores themselves on trial: this model's own test images against images that "
            "are nothing like its training data, such as noise, stripes or shuffled pixels.",
        )
        task, bench = _task(choice), live.bench()
        try:
            report = results.detection(choice)
        except RunError as error:
            report = None
            st.warning(errors.sentence(error))
        kept = report is not None
        if report is None and bench.finished(task) and (state := bench.latest(task)):
            report = state.report
        if report is not None:
            from app.views.score import detection_panels

            detection_panels.show(report, choice, kept)
        else:
            _find_out(choice, task, bench)


def _find_out(choice: Choice, task: Task[Evaluation], bench: Bench) -> None:
    """What there is instead of a report: the way to one, or why there is none yet."""
    if choice.run.status().state in UNFINISHED:
        st.markdown("The model is still training: its scores can be evaluated once that has ended.")
    elif not data_.missing(choice):
        _evaluate(task, bench)
    elif desk().uploads:
        missing_data.panel(choice, "The scores can be evaluated on its test images alone.")
    else:
        st.markdown(
            "The scores of this model have not been evaluated yet. That needs the images that are "
            "missing above."
        )


def _evaluate(task: Task[Evaluation], bench: Bench) -> None:
    """A button and, once it was pressed, how far the work is."""
    asked: set[object] = st.session_state.setdefault(_ASKED, set())
    if task.key in asked or bench.latest(task) is not None:
        live.panel([task], lambda _: None, "score-foreign")
        return
    st.markdown(
        "The scores of this model have not been evaluated yet. That takes half a minute for a "
        "small model and some minutes for a large one; the rest of the page stays usable."
    )
    st.button(
        "Evaluate the scores",
        on_click=asked.add,
        args=(task.key,),
        key="score-foreign-start",
        icon=":material/fact_check:",
        help="Scores test images and foreign ones, and shows which score tells which of them "
        "apart; the result is kept beside the run.",
    )


def _task(choice: Choice) -> Task[Evaluation]:
    return Task(
        ("detection", *choice.weights()),
        "Scoring test images and foreign ones",
        lambda: _evaluated(choice),
        lambda state: state.share,
    )


def _evaluated(choice: Choice) -> Iterator[Evaluation]:
    from vae_core.runs.records import calibrate_steps
    from vae_core.scoring.detection import detection_steps

    model, data = models.model(choice), data_.dataset(choice.run.config.dataset)
    calibration, before = results.calibration(choice), 0.0
    if calibration is None:
        before = _CALIBRATING
        calibration = yield from _part(calibrate_steps(choice.run, model, data), 0.0, before)
        _keep(calibration, choice)
    report = yield from _part(detection_steps(model, data, calibration), before, 1.0)
    _keep(report, choice)
    yield Evaluation(1.0, report)


def _part(
    steps: Generator[float, None, T], start: float, end: float
) -> Generator[Evaluation, None, T]:
    """Steps as a part of the whole, from one share of it to another; what they return."""
    while True:
        try:
            share = next(steps)
        except StopIteration as last:
            return last.value
        yield Evaluation(start + (end - start) * share)


def _keep(found: "Calibration | DetectionReport", choice: Choice) -> None:
    """Beside the run, if its folder can be written and its weights are still the same."""
    if choice.run.checkpoint_digest() != choice.digest:
        return
    from vae_core.runs.records import write_record

    try:
        write_record(found, choice.run.folder)
    except OSError as error:
        _log.warning("Not kept beside the run %s: %s", choice.run.id, error)

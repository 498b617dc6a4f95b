"""Score page: how probable an image is under a model, and how usual that score is."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from app.parts import live, missing_data, widgets
from app.services import data
from app.services.models import Choice
from app.shell import errors
from app.views.score import detection, give, groups
from app.views.score.controls import controls
from app.views.score.desk import Desk, desk

if TYPE_CHECKING:
    from app.views.score.job import Job
    from vae_core.settings.choices import Binarisation

WITHOUT_DATA = (
    "Only the examples need the data, because they are made from its test images. Your own images "
    "get their full score and verdict without the data: give one above."
)
OF_DIGITS = f"{WITHOUT_DATA} The examples below are digits of another data set."
OF_DRAWS = f"{WITHOUT_DATA} The examples below are images that the model draws itself."


def job_for(
    mine: Desk, choice: Choice, samples: int, steps: dict[str, Any], binarisation: "Binarisation"
) -> "Job":
    """Return the current job, or a new one if the images or the settings have changed."""
    from app.views.score import examples, inputs
    from app.views.score import job as score_job

    options, frames = inputs.ways_of(steps)
    config = choice.run.config
    shape = config.model.image_shape
    uploads = mine.uploads
    source = tuple(upload.id for upload in uploads)
    missing = not source and data.missing(choice)
    reading_key = (source, shape, config.info, (options, frames) if source else missing)
    if mine.reading is None or mine.reading.key != reading_key:
        before = mine.reading.given if mine.reading else ()
        if source:
            given = inputs.read(uploads, shape, options, config.info, before, frames)
        elif missing:
            given = examples.stand_ins(choice)
        else:
            given = examples.examples(data.dataset(config.dataset).split("test")[0])
        mine.reading = score_job.Reading(reading_key, given, options, uploads, frames)
    mine.known = mine.known or score_job.Known()
    scorer = score_job.Scorer.of(choice, samples, binarisation)
    if mine.job is None or mine.job.key != (reading_key, scorer.key):
        mine.job = score_job.Job(mine.reading, scorer, mine.known)
    return mine.job


def progress(job: "Job") -> None:
    """Draw the progress of the work, with a button to stop it."""
    if job.done:
        return
    text = f"{len(job.scored()):,} of {len(job.readable):,} images scored"
    if job.error is not None:
        text = errors.sentence(job.error)
    elif job.phase == "Reading":
        text = f"Reading: {len(job.reading.given)} files so far"
    live.control(job, text, "score")


def results(mine: Desk, job: "Job", choice: Choice, false_alarms: float) -> None:
    """Draw everything about the scores made so far."""
    from app.views.score import batches, panels

    with st.container():  # always present, so that nothing below it moves
        progress(job)
        batches.offer(mine, job)
    panels.panels(mine, mine.on_screen(job).frozen(false_alarms), choice)


widgets.header(
    "Score images",
    "How probable is an image under a model, and how usual is that for images of its kind?",
)
choice, samples, false_alarms, steps, binarisation = controls()
mine = desk()
if "batch" in st.query_params:
    from app.views.score import batches

    batches.take_up(mine)
beside = give.give(mine, choice)
with st.container():  # always present, so that nothing below it moves
    if not mine.uploads and data.missing(choice):
        from vae_core.scoring.examples import digits_stand_in

        of_digits = digits_stand_in(choice.run.config.info)
        missing_data.panel(choice, OF_DIGITS if of_digits else OF_DRAWS)
with st.spinner("Loading the model"):
    job = job_for(mine, choice, samples, steps, binarisation)
live.watch(job, lambda: results(mine, job, choice, false_alarms), "score")
give.follow(beside, job, mine.on_screen(job).frozen(false_alarms), choice)
detection.section(choice, steps)
groups.section(choice, steps, false_alarms)

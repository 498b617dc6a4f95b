"""Score images: how probable a model finds an image, and how usual that is for its kind."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from app.parts import live, missing_data, widgets
from app.services import data
from app.services.models import Choice
from app.shell import errors
from app.views.score import detection, give
from app.views.score.controls import controls
from app.views.score.desk import Desk, desk

if TYPE_CHECKING:
    from app.views.score.job import Job
    from vae_core.settings.choices import Binarisation

WITHOUT_DATA = (
    "Only the examples, which are made of its test images, need it. Images of yours get their "
    "whole score and verdict without it: give one above."
)


def job_for(
    mine: Desk, choice: Choice, samples: int, steps: dict[str, Any], binarisation: "Binarisation"
) -> "Job":
    """The work to do: the one under way, unless something has changed."""
    from app.views.score import examples, inputs
    from app.views.score import job as job_
    from vae_core.data.prepare import PrepareOptions

    options = PrepareOptions(**steps)
    config = choice.run.config
    shape = config.model.image_shape
    uploads = mine.uploads
    source = tuple(upload.id for upload in uploads)
    reading_key = (source, shape, config.dataset, options if source else None)
    if mine.reading is None or mine.reading.key != reading_key:
        before = mine.reading.given if mine.reading else ()
        given = (
            inputs.read(uploads, shape, options, config.dataset, before)
            if source
            else examples.examples(data.dataset(config.dataset).split("test")[0])
        )
        mine.reading = job_.Reading(reading_key, given, options, uploads)
    mine.known = mine.known or job_.Known()
    scorer = job_.Scorer.of(choice, samples, binarisation)
    if mine.job is None or mine.job.key != (reading_key, scorer.key):
        mine.job = job_.Job(mine.reading, scorer, mine.known)
    return mine.job


def progress(job: "Job") -> None:
    """How far the work is, and a way to stop it."""
    if job.done:
        return
    text = f"{len(job.scored()):,} of {len(job.readable):,} images scored"
    if job.error is not None:
        text = errors.sentence(job.error)
    elif job.phase == "Reading":
        text = f"Reading: {len(job.reading.given)} files so far"
    live.control(job, text, "score")


def results(mine: Desk, job: "Job", choice: Choice) -> None:
    """Everything about the scores, as far as they are made."""
    from app.views.score import panels

    with st.container():  # which stays, so that nothing below it moves in the page's tree
        progress(job)
    panels.panels(mine, mine.on_screen(job), choice)


widgets.header(
    "Score images",
    "How probable does a model find an image, and how usual is that for images of its kind?",
)
choice, samples, steps, binarisation = controls()
mine = desk()
beside = give.give(mine, choice)
if not mine.uploads and data.missing(choice):
    missing_data.panel(choice, WITHOUT_DATA)
    detection.section(choice)
    st.stop()
with st.spinner("Loading the model"):
    job = job_for(mine, choice, samples, steps, binarisation)
live.watch(job, lambda: results(mine, job, choice))
give.follow(beside, job, mine.on_screen(job), choice)
detection.section(choice)

"""Score images: how probable a model finds an image, and how usual that is for its kind."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, get_args

import streamlit as st

from app.parts import live, missing_data, pickers, widgets
from app.parts.widgets import IN_URL
from app.services import data
from app.services.models import Choice
from app.shell import errors
from app.views.score import detection, give
from app.views.score.desk import Desk, desk
from vae_core.settings.choices import BINARY, Binarisation
from vae_core.settings.config import explain

if TYPE_CHECKING:
    from app.views.score.job import Job

SAMPLES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
STEPS = {
    "invert": ("Invert", "Makes dark ink on a light ground light ink on a dark one."),
    "contrast": ("Contrast", "Makes the ground black and the ink white."),
    "crop": ("Crop", "Cuts to the ink and gives it the size it has in the training images."),
    "centre": ("Centre", "Moves the ink to where it is in the training images."),
}
PREPARED = ("auto", "yes", "no")
AS_TRAINED = "as trained"
WITHOUT_DATA = (
    "Only the examples, which are made of its test images, need it. Images of yours get their "
    "whole score and verdict without it: give one above."
)


def controls() -> tuple[Choice, int, dict[str, Any], Binarisation]:
    """Which model, how many samples, and how images are prepared."""
    _refuse_unknown()
    left, middle, right = st.columns([4, 4, 2], gap="medium", vertical_alignment="bottom")
    with left:
        choice = pickers.pick_model()
    samples = middle.select_slider(
        "Importance samples K",
        SAMPLES,
        value=1000,
        key="K",
        help="More samples bring the estimate closer to log p(x), from below; they take longer.",
        **IN_URL,
    )
    changed = any(name in st.query_params for name in (*STEPS, "binarisation"))
    label = "Preparation, changed" if changed else "Preparation"
    with right, widgets.more(label, "prepare"):
        return choice, samples, *preparation(choice)


def _refuse_unknown() -> None:
    """Say which settings of a link are none; their widgets take their defaults for them."""
    known: dict[str, Collection[str]] = {
        "K": tuple(map(str, SAMPLES)),
        "binarisation": (AS_TRAINED, *get_args(Binarisation)),
        "way": give.WAYS,
        **dict.fromkeys(STEPS, PREPARED),
    }
    linked = {name: st.query_params[name] for name in known if name in st.query_params}
    wrong = [f"{name} = {each}" for name, each in linked.items() if each not in known[name]]
    if wrong:
        told = errors.plain(", ".join(wrong))
        st.toast(f"Not to be had, so left out of the link: {told}.", duration="long")


def preparation(choice: Choice) -> tuple[dict[str, Any], Binarisation]:
    """How a file becomes the model's pixels."""
    chosen: dict[str, Any] = {
        step: st.segmented_control(
            label, PREPARED, default="auto", required=True, key=step, help=does,
            **IN_URL,
        )
        for step, (label, does) in STEPS.items()
    }  # fmt: skip
    config = choice.run.config
    trained = config.train.binarisation
    if config.model.likelihood not in BINARY:  # takes grey values and nothing else
        return chosen, trained
    binarisation: Any = st.segmented_control(
        "Binarisation",
        (AS_TRAINED, *get_args(Binarisation)),
        default=AS_TRAINED,
        required=True,
        key="binarisation",
        help=f"{explain('binarisation').help} This model was trained with {trained}.",
        **IN_URL,
    )
    return chosen, trained if binarisation == AS_TRAINED else binarisation


def job_for(
    mine: Desk, choice: Choice, samples: int, steps: dict[str, Any], binarisation: Binarisation
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

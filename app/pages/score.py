"""Score images: how probable a model finds an image, and how usual that is for its kind."""

from typing import TYPE_CHECKING, Any, get_args

import streamlit as st

from app import pickers, services, widgets
from app.score_desk import Desk, desk, uploader
from app.services import Choice
from app.train_estimate import duration
from vae_core.config import Binarisation, explain

if TYPE_CHECKING:
    from app.score_job import Job

SAMPLES = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
SLICE, TICK = 0.35, 0.5  # seconds of work before the page is drawn again, and between two draws
STEPS = {
    "invert": ("Invert", "Makes dark ink on a light ground light ink on a dark one."),
    "contrast": ("Contrast", "Makes the ground black and the ink white."),
    "crop": ("Crop", "Cuts to the ink and gives it the size it has in the training images."),
    "centre": ("Centre", "Moves the ink to where it is in the training images."),
}
AS_TRAINED = "as trained"
IN_URL: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}


def controls() -> tuple[Choice, int, dict[str, Any], Binarisation]:
    """Which model, how many samples, and how images are prepared."""
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
    with right, st.popover(label, icon=":material/tune:", width="stretch", key="prepare"):
        return choice, samples, *preparation(choice)


def preparation(choice: Choice) -> tuple[dict[str, Any], Binarisation]:
    """How a file becomes the model's pixels."""
    chosen: dict[str, Any] = {
        step: st.segmented_control(
            label, ("auto", "yes", "no"), default="auto", required=True, key=step, help=does,
            **IN_URL,
        )
        for step, (label, does) in STEPS.items()
    }  # fmt: skip
    config = choice.run.config
    trained = config.train.binarisation
    if config.model.likelihood != "bernoulli":  # takes grey values and nothing else
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
    from app import score_inputs, score_job
    from vae_core.images import PrepareOptions

    options = PrepareOptions(**steps)
    config = choice.run.config
    shape = config.model.image_shape
    source = tuple(upload.id for upload in mine.uploads)
    reading_key = (source, shape, config.dataset, options if source else None)
    if mine.reading is None or mine.reading.key != reading_key:
        given = (
            score_inputs.read(mine.uploads, shape, options, config.dataset)
            if source
            else score_inputs.examples(services.dataset(config.dataset).split("test")[0])
        )
        mine.reading = score_job.Reading(reading_key, given, options)
    held_out = services.held_out(choice)
    if held_out is not None and not held_out.binarised_by(binarisation):
        held_out = None
    mine.known = mine.known or score_job.Known()
    key = (choice.key, choice.digest, binarisation, samples, held_out is not None)
    if mine.job is None or mine.job.key != (reading_key, key):
        scorer = score_job.Scorer(key, services.model(choice), held_out, binarisation, samples)
        mine.job = score_job.Job(mine.reading, scorer, mine.known)
    return mine.job


def progress(job: "Job") -> None:
    """How far the work is, and a way to stop it."""
    if job.done:
        return
    bar, button = st.columns([8, 2], vertical_alignment="center")
    left = "" if job.seconds_left is None else f", about {duration(job.seconds_left)} to go"
    text = f"{len(job.scored())} of {len(job.readable)} images scored{left}"
    if job.phase == "Reading":
        text = f"Reading: {len(job.reading.given)} files so far"
    bar.progress(job.share, text)
    if job.stopped:
        button.button("Go on", on_click=job.go_on, key="score-stop", width="stretch",
                      help="Scores the remaining images as well.")  # fmt: skip
    else:
        button.button("Stop", on_click=job.stop, key="score-stop", width="stretch",
                      help="Keeps what has been scored and leaves the rest.")  # fmt: skip


def results(mine: Desk, job: "Job", choice: Choice, ticking: bool) -> None:
    """Everything about the scores; a fragment, so that a click redraws only this."""
    from app import score_parts

    if job.working != ticking:
        st.rerun()  # stopped or taken up again: the fragment's clock is set by the page
    with st.container():  # which stays, so that nothing below it moves in the page's tree
        progress(job)
    score_parts.panels(mine, job, choice)
    if job.working:
        job.advance(SLICE)
        if job.done:
            st.rerun()


widgets.header(
    "Score images",
    "How probable does a model find an image, and how usual is that for images of its kind?",
)
choice, samples, steps, binarisation = controls()
mine = desk()
uploader(mine)
with st.spinner("Loading the model"):
    job = job_for(mine, choice, samples, steps, binarisation)
    job.advance(SLICE)
st.fragment(results, run_every=TICK if job.working else None)(mine, job, choice, job.working)

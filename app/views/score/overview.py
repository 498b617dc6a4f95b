"""All images together: how many have each verdict, and which of them are listed, and how."""

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from app.parts.widgets import IN_URL
from app.services import adding
from app.services.models import Choice
from app.shell import errors, navigation
from app.views.score.controls import ONLY, TABLE, VIEWS
from app.views.score.inputs import MADE_HERE, Given, Upload
from app.views.score.job import Job, Scored
from vae_core.data.own import FEWEST_IMAGES
from vae_core.scoring.typicality import Verdict
from vae_core.wording.verdict import count_sentence, unknown_kind

_VERDICTS: dict[str, Verdict | None] = dict(
    zip(ONLY, (None, "unlike the training data", "unusual", "typical"), strict=True)
)
_MOST_WHILE_WORKING = 200  # images that are listed
_FEWEST, _FEWEST_WHILE_WORKING = 2, 20  # images of a batch that is called foreign
_TO_DATA = "score-to-data"
_FOREIGN = 0.5  # share of images that are unlike the training data in such a batch

Pairs = list[tuple[Given, Scored]]


def ordered(job: Job) -> Pairs:
    """Return the images scored so far, the most unusual first.

    During the work, these are the first images in the order in which they were given, so that no
    row moves under a click.
    """
    return job.scored()[:_MOST_WHILE_WORKING] if job.working else job.ranked()


def controls(job: Job) -> tuple[Pairs, str]:
    """Draw the count, the filter and the choice of a view; return the listed images and a view."""
    pairs = ordered(job)
    if job.scorer.judge.calibration is None:
        return pairs, _view()
    st.markdown(f"**{count_sentence(_counts(job))}**")
    with st.container(
        horizontal=True, horizontal_alignment="distribute", gap="xsmall", key="score-list"
    ):
        only = st.segmented_control(
            "Which images are listed",
            ONLY,
            default=ONLY[0],
            required=True,
            key="only",
            label_visibility="collapsed",
            help="Lists only the images with this verdict.",
            **IN_URL,
        )
        view = _view()
    wanted = _VERDICTS[only or ONLY[0]]
    return [each for each in pairs if wanted in (None, each[1].report.verdict)], view


def _view() -> str:
    chosen = st.segmented_control(
        "View",
        VIEWS,
        default=TABLE,
        required=True,
        key="view",
        label_visibility="collapsed",
        help="A table with numbers, or a sheet of pictures to select and export.",
        **IN_URL,
    )
    return chosen or TABLE


def _counts(job: Job) -> Counter[Verdict]:
    return Counter(each.report.verdict for _, each in job.scored() if each.report.verdict)


# ---- a batch that the model does not know


def foreign(job: Job, choice: Choice) -> None:
    """Say of a batch that is mostly unlike the training data what to do with it."""
    if st.session_state.pop(_TO_DATA, False):
        navigation.go("data", tab="Add images")
    uploads = job.reading.uploads
    images, unlike = len(job.scored()), _counts(job)["unlike the training data"]
    fewest = _FEWEST_WHILE_WORKING if job.working else _FEWEST
    if not uploads or images < fewest or unlike <= _FOREIGN * images:
        return
    said = errors.plain(unknown_kind(choice.run.config.info, images - unlike, images))
    readable = len(job.readable)
    with st.container(
        key="score-foreign-batch", border=True, horizontal=True, vertical_alignment="center"
    ):
        st.markdown(f":material/explore_off: **{said}**", width="stretch")
        if readable < FEWEST_IMAGES:
            st.caption(f"Give {FEWEST_IMAGES} such images or more to train a model on them.")
            return
        st.button(
            "Train a model on these images",
            on_click=_take_along,
            args=(uploads,),
            key="score-train-on-these",
            icon=":material/arrow_forward:",
            type="primary",
            help="Takes your files along to the page Data, which makes a data set of them after a "
            "preview. They then lie in a temporary folder until you add them or close that page.",
        )


def _take_along(uploads: Sequence[Upload]) -> None:
    """Callback: give the files to the page Data; the next drawing of this page opens it.

    A callback, because during the work a click may come just before the page is drawn again.
    """
    adding.hand_over(_name_of(uploads), [_file(each) for each in uploads])
    st.session_state[_TO_DATA] = True


def _file(upload: Upload) -> adding.File:
    name = upload.name
    made_here = name.startswith(MADE_HERE) and "." not in name
    return adding.File(f"{name}.png" if made_here else name, memoryview(upload.data))


def _name_of(uploads: Sequence[Upload]) -> str:
    return uploads[0].name if len(uploads) == 1 else "your images"

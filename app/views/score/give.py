"""The ways to give the score page an image: files, a drawing, the camera, the clipboard."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from app.parts.components.drawing_pad import drawing_pad, sent_strokes
from app.parts.components.paste_box import paste_box
from app.parts.components.strokes import brush
from app.parts.text import PRIVACY
from app.services import data
from app.services.models import Choice
from app.shell.streamlit_internals import DeltaGenerator
from app.views.score.desk import Desk

if TYPE_CHECKING:
    from app.views.score.job import Job

FILES, DRAW, CAMERA, PASTE = WAYS = ("Files", "Draw", "Camera", "Paste")
_LARGEST_PASTE = 20  # MB, as of every image
_WORD = {
    FILES: "Every image is scored, and ranked with the others.",
    DRAW: "Each stroke is scored once the pen is lifted.",
    CAMERA: "The browser asks first, and lends the camera only to a page of this computer or over "
    "https. A dark pen on white paper works best.",
    PASTE: "An image or a part of one, copied in another program, or a screenshot.",
}  # fmt: skip


class Beside(NamedTuple):
    """Room beside the pad for what can be drawn only once there are scores."""

    line: DeltaGenerator
    map: DeltaGenerator


def give(mine: Desk, choice: Choice) -> Beside | None:
    """The chosen way, and what is said about it; beside a pad, room for what follows the pen."""
    st.html(Path(__file__).with_name("style.css"))
    with st.container(key="score-give"):
        left, right = st.columns([4, 7], gap="medium")
    with left:
        way = _choose(mine)
    if way != FILES:
        mine.keep_files()
    beside = None
    with right, st.container(key=f"score-way-{way.lower()}"):
        if way == DRAW:
            beside = _pad(mine, choice)
        else:
            {FILES: _uploader, CAMERA: _camera, PASTE: _clipboard}[way](mine)
    with left, st.container(key="score-about"):
        _about(mine, way, data.missing(choice))
    return beside


def _choose(mine: Desk) -> str:
    """Which way, in the address.

    A widget with ``bind="query-params"`` falls back to its default at the browser's Back, which
    leads to an address without it.
    """
    linked = st.query_params.get("way")
    if linked in WAYS and linked != mine.linked:
        mine.way = linked
    st.session_state["way"] = mine.way
    st.segmented_control(
        "Your images",
        WAYS,
        required=True,
        key="way",
        on_change=mine.take_way,
        help="How to give images to score: by file, drawn here, photographed or pasted.",
    )
    way = mine.way
    mine.linked = way
    if (linked or FILES) != way:
        st.query_params["way"] = way
    return way


def follow(beside: Beside | None, job: "Job", shown: "Job", choice: Choice) -> None:
    """Fill the room that :func:`give` left.

    Args:
        job: the work under way, which has the drawing as it is now.
        shown: the job whose scores are on the screen.
    """
    if beside is None:
        return
    from app.views.score import drawing_map

    with beside.line:
        drawing_map.line(shown)
    with beside.map:
        drawing_map.panel(job, choice)


def _uploader(mine: Desk) -> None:
    files = st.file_uploader(
        "Files",
        accept_multiple_files=True,
        key=mine.key("files"),
        on_change=mine.take_files,
        help="PNG, JPEG, WebP, BMP, TIFF or GIF, or a .zip of them; every image gets a score.",
    )
    if not files:
        mine.keep_files()


def _pad(mine: Desk, choice: Choice) -> Beside:
    left, right = st.columns([5, 6], gap="medium")
    key = mine.key("pad")
    strokes = sent_strokes(key)
    if strokes is not None and strokes != mine.strokes:
        mine.draw(strokes)
    with left:
        drawing_pad(key, mine.strokes, brush(min(choice.run.config.model.image_shape[1:])))
        line = st.container(key="score-line")
    return Beside(line, right.container())


def _camera(mine: Desk) -> None:
    st.camera_input(
        "Camera",
        key=mine.key("camera"),
        on_change=mine.take_photo,
        width=400,
        help="Takes a photo, which is scored at once; the next one takes its place.",
    )


def _clipboard(mine: Desk) -> None:
    paste_box(mine.key("paste"), _LARGEST_PASTE, mine.take_pasted)


def _about(mine: Desk, way: str, no_examples: bool) -> None:
    """What becomes of the images, and how to be rid of them."""
    examples = "" if mine.uploads or no_examples else "Until you give some, examples are scored. "
    st.caption(f"{_WORD[way]} {examples}{PRIVACY}")
    removable = len(mine.uploads) > len(mine.now)  # the uploader removes its own
    with st.container(horizontal=True, gap="small"):
        if way == DRAW:
            _save(mine)
        if way == DRAW or removable:
            st.button(
                "Forget your images",
                on_click=mine.clear,
                disabled=not removable,
                key="score-forget",
                icon=":material/delete:",
                type="tertiary",
                help="Removes all that you gave from memory and goes back to the examples.",
            )


def _save(mine: Desk) -> None:
    st.download_button(
        "Save the drawing",
        mine.drawing.data if mine.drawing else b"",
        file_name="your drawing.png",
        mime="image/png",
        on_click="ignore",
        disabled=mine.drawing is None,
        key="score-save-drawing",
        icon=":material/download:",
        type="tertiary",
        help="Saves it as a PNG: the code below reads that file.",
    )

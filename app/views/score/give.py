"""The ways to give images to the Score page: files, a drawing, the camera, the clipboard."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from app.parts.components.drawing_pad import drawing_pad, sent_strokes
from app.parts.components.paste_box import paste_box
from app.parts.components.strokes import brush
from app.parts.text import PRIVACY
from app.services import data
from app.services.models import Choice
from app.shell import frame
from app.shell.streamlit_internals import REFUSAL, DeltaGenerator
from app.views.score.desk import Desk

if TYPE_CHECKING:
    from app.views.score.job import Job

FILES, DRAW, CAMERA, PASTE = WAYS = ("Files", "Draw", "Camera", "Paste")
_LARGEST_PASTE = 20  # MB, the limit of every image
_WORD = {
    FILES: "All images are scored and ranked.",
    DRAW: "The drawing is scored after each stroke.",
    CAMERA: "The browser asks for permission. It allows the camera only if the app runs on this "
    "computer or over https. A dark pen on white paper works best.",
    PASTE: "Paste an image, a part of an image, or a screenshot that you copied elsewhere.",
}  # fmt: skip


class PadPanels(NamedTuple):
    """Containers at the drawing pad that are filled when scores exist."""

    line: DeltaGenerator
    map: DeltaGenerator


def give(mine: Desk, choice: Choice) -> PadPanels | None:
    """Draw the choice of a way and its widgets. For the pad, return containers to fill later."""
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
        _frames(mine)
    return beside


def _choose(mine: Desk) -> str:
    """Draw the choice of a way and return it. The URL holds the choice.

    ``bind="query-params"`` is not used: after the browser's Back button leads to a URL without
    this setting, such a widget would fall back to its default.
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
        help="How to give images: upload files, draw, take a photo, or paste.",
    )
    way = mine.way
    mine.linked = way
    if (linked or FILES) != way:
        st.query_params["way"] = way
    return way


def follow(beside: PadPanels | None, job: "Job", shown: "Job", choice: Choice) -> None:
    """Fill the containers that :func:`give` returned.

    Args:
        job: the current job, which has the latest drawing.
        shown: the job whose scores are on the page.
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
        help="PNG, JPEG, WebP, HEIC, AVIF, BMP, TIFF, GIF or PPM, or a .zip of them. Every image "
        "gets a score.",
    )
    if not files:
        mine.keep_files()
    mine.see_files()


def _pad(mine: Desk, choice: Choice) -> PadPanels:
    left, right = st.columns([5, 6], gap="medium")
    key = mine.key("pad")
    strokes = sent_strokes(key)
    if strokes is not None and strokes != mine.strokes:
        mine.draw(strokes)
    with left:
        drawing_pad(key, mine.strokes, brush(min(choice.run.config.model.image_shape[1:])))
        line = st.container(key="score-line")
    return PadPanels(line, right.container())


def _camera(mine: Desk) -> None:
    st.camera_input(
        "Camera",
        key=mine.key("camera"),
        on_change=mine.take_photo,
        width=400,
        help="Takes a photo and scores it at once. The next photo replaces it.",
    )
    mine.see_photo()


def _clipboard(mine: Desk) -> None:
    paste_box(mine.key("paste"), _LARGEST_PASTE, mine.take_pasted)


def _about(mine: Desk, way: str, no_examples: bool) -> None:
    """Say what happens to the images, and draw the button that removes them."""
    examples = (
        ""
        if mine.uploads or no_examples
        else "Examples are scored until you give your own images. "
    )
    mine.say_lost("image")
    if not frame.presenting():  # a projector's screen is small
        st.caption(f"{_WORD[way]} {examples}{PRIVACY}")
    if mine.has_refused():
        st.warning(REFUSAL)
    removable = len(mine.uploads) > len(mine.now)  # files in the uploader are removed there
    with st.container(horizontal=True, gap="small"):
        if way == DRAW:
            _save(mine)
        if way == DRAW or removable:
            st.button(
                "Forget your images",
                on_click=_forget,
                args=(mine,),
                disabled=not removable,
                key="score-forget",
                icon=":material/delete:",
                type="tertiary",
                help="Removes all your images from memory and shows the examples again.",
            )


def _frames(mine: Desk) -> None:
    """Offer to score every frame of the films among the images, or say that it is done."""
    films = [each for each in mine.uploads if each.has_frames]
    if not films:
        return
    every = st.session_state.get("frames") == "all"
    which = "One file has" if len(films) == 1 else f"{len(films)} files have"
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.caption(f"{which} several frames; {'all are' if every else 'the first is'} scored.")
        st.button(
            "Only the first" if every else "Score every frame",
            on_click=_take_frames,
            args=("first" if every else "all",),
            key="score-frames",
            icon=":material/burst_mode:",
            type="tertiary",
            help="Every frame of an animation, and every page of a TIFF, is an image of its own. "
            "The same choice is in Preparation.",
        )


def _take_frames(frames: str) -> None:
    st.session_state["frames"] = frames


def _forget(mine: Desk) -> None:
    if "batch" in st.query_params:
        from app.views.score.batches import batches

        batches().forget(st.query_params.pop("batch"))
    mine.clear()


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
        help="Saves the drawing as a PNG file. The code below reads that file.",
    )

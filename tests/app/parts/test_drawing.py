"""Drawings: what is taken from a browser, the picture that strokes make, how it is scored."""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.parts.components import strokes
from app.parts.components.strokes import SIDE, Stroke
from app.services import models
from app.views.score import export, inputs
from app.views.score.desk import Desk
from app.views.score.inputs import DRAWING, Given, Upload
from app.views.score.job import Job, Known, Reading, Scorer
from vae_core.data.prepare import PrepareOptions
from vae_core.scoring.judge import Judge

BAR = Stroke(0.1, (0.25, 0.5, 0.75, 0.5))
AUTO = PrepareOptions()


def pixels(*drawn: Stroke) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(strokes.picture(drawn))))


def upload(*drawn: Stroke) -> Upload:
    return Upload(f"drawing-{hash(drawn)}", DRAWING, strokes.picture(drawn))


def read(uploads: list[Upload], before: list[Given] | None = None, side: int = 8) -> list[Given]:
    found = inputs.read(uploads, (1, side, side), AUTO, "digits", before or ())
    return list(found)


# ---- strokes


def test_a_stroke_is_light_where_the_pen_was_and_as_wide() -> None:
    picture = pixels(BAR)
    assert picture.shape == (SIDE, SIDE)
    assert picture[SIDE // 2, SIDE // 2] == 255
    assert picture[SIDE // 4, SIDE // 2] == 0
    assert (picture[:, SIDE // 2] > 127).sum() == pytest.approx(0.1 * SIDE, abs=1)
    across = (picture[SIDE // 2] > 127).sum()  # with its round ends
    assert across == pytest.approx(0.6 * SIDE, abs=2)


def test_a_dot_is_a_disc_and_what_leaves_the_pad_is_cut_off() -> None:
    dot = pixels(Stroke(0.2, (0.5, 0.5))) > 127
    assert dot.sum() == pytest.approx(math.pi * (0.1 * SIDE) ** 2, rel=0.03)
    outside = pixels(Stroke(0.1, (0.5, 0.5, 1.8, 0.5)))
    assert outside[SIDE // 2, -1] == 255
    assert pixels().max() == 0


@pytest.mark.parametrize(
    "sent",
    [
        None,
        7,
        "drawing",
        [{}],
        [{"width": 0.1}],
        [{"width": 0.1, "points": []}],
        [{"width": 0.1, "points": [0.5]}],
        [{"width": 0.1, "points": [0.5, None]}],
        [{"width": 0.1, "points": [0.5, float("nan")]}],
        [{"width": float("inf"), "points": [0.5, 0.5]}],
        [{"width": 0.1, "points": [0.5] * 200_000}],
    ],
)
def test_what_is_no_drawing_is_not_taken(sent: Any) -> None:
    assert strokes.strokes_of(sent) is None


def test_what_a_browser_sends_is_kept_within_reason() -> None:
    assert strokes.strokes_of([]) == []
    assert strokes.strokes_of([{"width": 0.1, "points": [0.25, 0.5, 0.75, 0.5]}]) == [BAR]
    (wild,) = strokes.strokes_of([{"width": 1e9, "points": [1e9, -1e9]}]) or []
    assert wild.width <= 0.5
    assert np.abs(wild.points).max() <= 2


@pytest.mark.parametrize("side", [8, 16, 28, 64])
def test_the_brush_is_at_least_a_pixel_of_the_model_wide(side: int) -> None:
    assert 1 / side <= strokes.brush(side) <= 0.125


# ---- as an image among others


def test_a_drawing_becomes_light_ink_on_a_dark_ground() -> None:
    (given,) = read([upload(Stroke(0.12, (0.5, 0.2, 0.5, 0.8)))])
    assert given.label == DRAWING
    assert given.pixels is not None
    image = given.pixels[0].float() / 255
    assert image[:, 3:5].mean() > 0.6
    assert image[:, [0, 7]].max() < 0.1


def test_a_new_stroke_leaves_the_other_images_as_they_were_read() -> None:
    file = Upload("1", "a.png", strokes.picture([BAR]))
    first = read([file])
    second = read([upload(BAR, BAR), file], first)
    assert [(given.label, given.place) for given in second] == [(DRAWING, 0), ("a.png", 1)]
    assert second[1].pixels is first[0].pixels
    third = read([upload(BAR), file], second, side=16)
    assert third[1].pixels is not None
    assert third[1].pixels.shape == (1, 16, 16)


def test_the_code_names_the_file_that_the_drawing_is_saved_as() -> None:
    (given,) = read([upload(BAR)])
    assert export._file_name(given) == "your drawing.png"
    assert export._file_name(Given("README", place=0)) == "README"


# ---- what is shown meanwhile


@pytest.fixture
def jobs() -> Callable[[Stroke, int], Job]:
    """Makes a job on a drawing, for a number of importance samples."""
    choice = models.choices()["pretrained/digits-full-d2"]
    model = models.model(choice)

    def job(stroke: Stroke, samples: int) -> Job:
        uploads = [upload(stroke)]
        scorer = Scorer(samples, model, Judge.of(None, "dynamic"), samples)
        return Job(Reading(hash(stroke), iter(read(uploads)), AUTO, uploads), scorer, Known())

    return job


def test_older_scores_stay_until_there_is_a_new_one_by_the_same_model(
    jobs: Callable[[Stroke, int], Job],
) -> None:
    desk = Desk()
    first, second = jobs(BAR, 100), jobs(Stroke(0.1, (0.5, 0.2, 0.5, 0.8)), 100)
    assert desk.on_screen(first) is first
    first.advance(60)
    assert desk.on_screen(first) is first
    assert desk.on_screen(second) is first
    second.advance(60)
    assert desk.on_screen(second) is second
    other = jobs(BAR, 200)
    assert desk.on_screen(other) is other


def sent() -> None:
    import streamlit as st

    from app.parts.components.drawing_pad import sent_strokes
    from app.parts.components.paste_box import pasted

    st.write(repr((sent_strokes("pad"), pasted("paste"))))


@pytest.mark.parametrize(
    ("pad", "paste", "expected"),
    [
        (None, None, (None, [])),
        ({"strokes": None}, {"images": None}, (None, [])),
        ({"strokes": []}, {"images": ["AAEC"]}, ([], [b"\0\1\2"])),
        ({"strokes": "x"}, {"images": ["not base64!"]}, (None, [])),
        ({"strokes": [{"width": 1}]}, {"images": [7]}, (None, [])),
    ],
)
def test_only_what_is_whole_is_taken_from_the_browser(pad: Any, paste: Any, expected: Any) -> None:
    app = AppTest.from_function(sent)
    app.session_state["pad"], app.session_state["paste"] = pad, paste
    app.run()
    assert not app.exception
    assert app.markdown[0].value == repr(expected)

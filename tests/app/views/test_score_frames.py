"""Frames of a film on the Score page: the first alone, until all are asked for."""

import io
import time

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.app.views.opening import opened
from vae_core.data.datasets import load_dataset

TIMEOUT = 60


def film() -> bytes:
    first, *rest = map(Image.fromarray, load_dataset("digits").split("test")[0][:3, 0].numpy())
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=rest)
    return out.getvalue()


def labels(app: AppTest) -> set[str]:
    """The images that can be chosen."""
    tables = (each.value for each in app.dataframe)
    return {
        str(cell) for table in tables for cell in table.to_numpy().ravel() if "film" in str(cell)
    }


def said(app: AppTest, text: str) -> bool:
    return any(text in each.value for each in app.caption)


@pytest.mark.slow
def test_every_frame_is_scored_once_that_is_asked_for_and_the_link_says_so() -> None:
    app = opened("score", model="pretrained/digits-full-d2", K="100", invert="no")
    assert not any(each.key == "score-frames" for each in app.button)
    (uploader,) = (each for each in app.file_uploader if each.key == "score-files-0")
    uploader.set_value([("film.gif", film(), "image/gif")])
    app.run()
    assert said(app, "One file has several frames; the first is scored.")
    app.button(key="score-frames").click().run()
    assert said(app, "One file has several frames; all are scored.")
    assert app.query_params["frames"] == "all"
    end = time.monotonic() + TIMEOUT
    while not {f"film.gif[{i}]" for i in range(3)} <= labels(app):
        assert time.monotonic() < end, labels(app)
        assert not app.exception
        app.run()
    app.button(key="score-frames").click().run()
    assert said(app, "the first is scored.")

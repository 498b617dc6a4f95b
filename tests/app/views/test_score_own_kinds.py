"""Images of the visitor's own become a kind of the evaluation of the scores, on the Score page."""

import dataclasses
import io
import re
import time
import zipfile
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.services import results
from app.services.models import Choice
from app.views.score.own_kinds import Desk, _free_name, _taken
from tests.app.views.opening import opened
from vae_core.data.datasets import load_dataset
from vae_core.scoring.detection import DetectionReport

TIMEOUT = 300
FOLD = "score-own-kind"


def test_a_kind_gets_a_name_that_no_other_kind_has() -> None:
    assert _free_name("  cracks ", ["noise"]) == "cracks"
    assert _free_name("", []) == "bad images"
    assert _free_name("noise", ["noise", "noise (2)"]) == "noise (3)"
    assert "\n" not in _free_name("a\nb", [])


def test_no_kind_is_called_as_the_test_images_or_as_a_usual_kind_that_an_old_report_lacks() -> None:
    report = DetectionReport(10, 0.05, 0.05, {}, 0, {"dataset": "mnist"})
    taken = _taken(Desk(), report)
    for name in ("own", "blurred", "digits", "noise"):
        assert _free_name(name, taken) == f"{name} (2)"


def bad_images(count: int) -> bytes:
    """A .zip of negatives of test digits, and of a file that is no image."""
    images = 255 - load_dataset("digits").split("test")[0][:count, 0].numpy()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("notes.txt", "no image")
        for index, each in enumerate(images):
            file = io.BytesIO()
            Image.fromarray(each).save(file, "PNG")
            archive.writestr(f"{index}.png", file.getvalue())
    return out.getvalue()


def uploaders(app: AppTest) -> list[Any]:
    """Uploaders of the fold: none before it is opened."""
    return [each for each in app.file_uploader if str(each.key).startswith(f"{FOLD}-files")]


def given(app: AppTest) -> AppTest:
    (found,) = uploaders(app)
    found.set_value([("faults.zip", bad_images(12), "application/zip")])
    app.run()
    return app


def kinds(app: AppTest) -> int:
    """The number of kinds in the map."""
    charts = " ".join(str(each.proto) for each in app.get("plotly_chart"))
    found = re.search(r"against (\d+) kinds of foreign images", charts)
    assert found is not None
    return int(found[1])


@pytest.mark.slow
def test_a_zip_of_bad_images_becomes_a_row_of_the_map_until_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = results.detection

    def of_few(choice: Choice) -> DetectionReport | None:
        found = whole(choice)
        return None if found is None else dataclasses.replace(found, own_images=10)

    monkeypatch.setattr(results, "detection", of_few)
    app = opened("score", model="pretrained/digits-full-d2", K="100", invert="no")
    usual = kinds(app)
    assert not uploaders(app)
    app.session_state[FOLD] = True
    app.run()
    app.text_input(key="score-own-kind-name").set_value("cracks <b>").run()
    app = given(app)
    app.button(key="score-own-kind-add").click().run()
    end = time.monotonic() + TIMEOUT
    while kinds(app) == usual:
        assert time.monotonic() < end
        assert not app.exception
        app.run()
    assert kinds(app) == usual + 1
    assert not app.error
    assert "**cracks \\<b\\>**, 1 file" in [each.value for each in app.markdown]
    app.button(key="score-own-kind-forget-0").click().run()
    assert kinds(app) == usual

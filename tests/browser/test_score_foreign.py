"""The evaluation of the scores on the score page: made there, stopped, taken up, kept, shown."""

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.driving import App, settle, visit
from vae_core.basics.paths import pretrained_folder

SLOW = 900_000  # milliseconds; an evaluation takes minutes on a slow or busy processor


@pytest.fixture
def model(app_server: App, request: pytest.FixtureRequest) -> Path:
    """A finished run, without an evaluation of its scores, called as the test is."""
    folder = app_server.log.parent / "runs" / request.node.originalname
    shutil.copytree(
        pretrained_folder() / "digits-mean-field-d16",
        folder,
        ignore=shutil.ignore_patterns("detection*"),
    )
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"title": folder.name}))
    return folder


def section(page: Page, app: App, model: Path, **query: str) -> Locator:
    visit(page, f"{app.url}/score", {"model": model.name, "K": "100"} | query)
    return page.locator(".st-key-score-foreign")


def start(section: Locator) -> None:
    section.get_by_role("button", name="Evaluate the scores").click(timeout=SLOW)


def test_scores_are_evaluated_stopped_taken_up_kept_and_shown_again(
    app_server: App, page: Page, model: Path
) -> None:
    shown = section(page, app_server, model)
    start(shown)
    button = page.locator(".st-key-score-foreign-control").get_by_role("button").first
    expect(button).to_have_text("Stop", timeout=SLOW)
    button.click()
    expect(shown).to_contain_text("stopped at", timeout=SLOW)
    assert not (model / "detection.json").exists()
    button.click()
    expect(button).to_have_text("Stop", timeout=SLOW)
    page.reload()
    expect(shown.get_by_text(re.compile("^Raw log p"))).to_be_visible(timeout=SLOW)
    report = json.loads((model / "detection.json").read_text())
    assert report["own_images"] == 300
    expect(shown).to_contain_text(f"calls {report['false_alarms']:.1%} of 300 own test images")
    expect(shown).to_contain_text("300 images of Digits 8×8, test · dynamic binarisation · K = 200")
    expect(shown.get_by_test_id("stCode")).to_contain_text("python -m vae_core detect")

    again = section(page, app_server, model, separation="AUPR")
    expect(again.get_by_text("AUPR by kind and score")).to_be_attached(timeout=SLOW)
    again.get_by_role("radio", name="FPR at 95 % TPR").click()
    expect(again.get_by_text("FPR at 95 % TPR by kind and score")).to_be_attached()
    expect(page).to_have_url(re.compile("separation=FPR"))


def test_a_damaged_evaluation_is_a_sentence_and_another_is_offered(
    app_server: App, page: Page, model: Path
) -> None:
    (model / "detection.json").write_text('{"format": 1, "kinds": ')
    shown = section(page, app_server, model)
    expect(shown.get_by_test_id("stAlert")).to_contain_text("is damaged", timeout=SLOW)
    expect(shown.get_by_role("button", name="Evaluate the scores")).to_be_visible()


def test_where_it_cannot_be_kept_it_is_shown_until_the_app_ends(
    app_server: App, page: Page, model: Path
) -> None:
    (model / "detection.json").mkdir()  # which no file can take the place of
    (model / "calibration.safetensors").unlink()
    shown = section(page, app_server, model)
    start(shown)
    expect(shown.get_by_text("kept only until the app ends")).to_be_visible(timeout=SLOW)
    assert (model / "calibration.safetensors").is_file(), "which it rests on, and could be written"
    page.reload()
    settle(page)
    expect(shown.get_by_text("kept only until the app ends")).to_be_visible(timeout=SLOW)

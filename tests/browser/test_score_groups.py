"""Good and bad images on the Score page: compared, a rate saved, used, and forgotten."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.driving import App, visit
from vae_core.basics.paths import pretrained_folder
from vae_core.data.datasets import load_dataset

SLOW = 300_000  # milliseconds


@pytest.fixture
def model(app_server: App, request: pytest.FixtureRequest) -> Path:
    """A finished run with its calibration, called as the test is."""
    folder = app_server.log.parent / "runs" / request.node.originalname
    shutil.copytree(pretrained_folder() / "digits-mean-field-d16", folder)
    return folder


def group(name: str, bad: bool) -> FilePayload:
    """A .zip file of test digits, or of their negatives."""
    out = io.BytesIO()
    images = load_dataset("digits").split("test")[0][bad : 40 + bad : 2, 0].numpy()
    with zipfile.ZipFile(out, "w") as archive:
        for index, image in enumerate(images):
            archive.writestr(f"{index}.png", png(255 - image if bad else image))
    return {"name": name, "mimeType": "application/zip", "buffer": out.getvalue()}


def png(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def test_two_groups_are_compared_and_the_rate_is_used_until_it_is_forgotten(
    app_server: App, page: Page, model: Path
) -> None:
    visit(page, f"{app_server.url}/score", {"model": model.name, "K": "100", "invert": "no"})
    fold = page.locator(".st-key-score-groups")
    slider = page.get_by_role("slider", name="False alarms")
    expect(slider).to_have_attribute("aria-valuetext", "4")
    fold.get_by_text("Good and bad images").first.click()
    for kind in ("good", "bad"):
        chooser = page.locator(f"[class*='st-key-score-groups-{kind}-'] input[type=file]")
        chooser.set_input_files(group(f"{kind}.zip", bad=kind == "bad"))
        expect(fold.get_by_text(f"{kind}.zip")).to_be_visible(timeout=SLOW)
    fold.get_by_role("button", name="Compare the groups").click(timeout=SLOW)
    expect(fold.get_by_text("costs least on these images")).to_be_visible(timeout=SLOW)
    expect(fold.get_by_text("Plain log p̂(x) has an area")).to_be_visible()
    expect(fold.get_by_test_id("stPlotlyChart")).to_have_count(3)

    share = fold.get_by_role("spinbutton", name="Share of bad images")
    share.fill("30")
    share.press("Enter")
    expect(fold.get_by_text("with 300 bad ones among them")).to_be_visible(timeout=SLOW)
    name = fold.get_by_role("textbox", name="Your name")
    name.fill("Ann")
    name.press("Enter")
    use = fold.get_by_role("button", name=re.compile("% from now on"))
    rate = re.search(r"Use (\S+) %", use.inner_text())
    assert rate is not None
    use.click()
    expect(fold.get_by_text("The operating point is a false-alarm rate")).to_be_visible(
        timeout=SLOW
    )
    expect(fold.get_by_text("by Ann, with 20 good and 20 bad images")).to_be_visible()
    expect(slider).to_have_attribute("aria-valuetext", rate[1])
    kept = json.loads((model / "operating_point.json").read_text())
    assert kept["false_alarms"] == pytest.approx(float(rate[1]) / 100)
    assert (kept["by"], kept["way"]) == ("Ann", "folds")

    fold.get_by_role("button", name="Forget it").click()
    expect(fold.get_by_text("The operating point is")).to_have_count(0, timeout=SLOW)
    expect(slider).to_have_attribute("aria-valuetext", "4")
    assert not (model / "operating_point.json").exists()


def test_a_damaged_operating_point_is_a_sentence_and_can_be_forgotten(
    app_server: App, page: Page, model: Path
) -> None:
    (model / "operating_point.json").write_text("{")
    visit(page, f"{app_server.url}/score", {"model": model.name, "K": "100"})
    expect(page.get_by_text("operating_point.json of")).to_be_visible(timeout=SLOW)
    page.locator(".st-key-score-groups").get_by_text("Good and bad images").first.click()
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_text("operating_point.json of")).to_have_count(0, timeout=SLOW)
    assert not (model / "operating_point.json").exists()

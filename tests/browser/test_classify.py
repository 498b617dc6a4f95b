"""The Classify page in a browser."""

import io
import re

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.driving import SLOW, App, expect_no_exception, plot, settle, visit


def one() -> bytes:
    """A picture of the digit 1."""
    image, out = Image.new("L", (64, 64), "white"), io.BytesIO()
    ImageDraw.Draw(image).line([34, 8, 30, 56], fill="black", width=9)
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.tour
def test_three_ways_are_measured_and_classify_an_image_of_ones_own(
    app_server: App, page: Page
) -> None:
    query = {"model": "pretrained/digits-mean-field-d16", "classify-images": "100"}
    visit(page, f"{app_server.url}/classify", query)
    table = page.locator(".classify-table")
    for way in ("p(y) p(x|y)", "Logistic regression", "Nearest neighbours"):
        expect(table).to_contain_text(way, timeout=SLOW)
    settle(page)
    page.get_by_role("radio", name="Nearest neighbours of E[z|x]").click()
    expect(page).to_have_url(re.compile("way=Nearest"))
    settle(page)
    chart = plot(page, "classify-confusion-neighbours")
    cell = chart.locator(".textpoint text").last  # of the last class: 9 taken for 9
    cell.scroll_into_view_if_needed()
    box = cell.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    expect(chart.locator(".hoverlayer")).to_contain_text("found 9")
    page.mouse.click(x, y)
    expect(
        page.get_by_text("Test images of class 9 whose most probable class is 9")
    ).to_be_visible()
    file: FilePayload = {"name": "one.png", "mimeType": "image/png", "buffer": one()}
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files([file])
    expect(plot(page, "classify-own-probabilities")).to_be_visible(timeout=SLOW)
    settle(page)
    expect(page.get_by_text("one.png").first).to_be_visible()
    expect_no_exception(page)

"""The score page's other ways to give an image: drawn, photographed, pasted."""

import base64
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from tests.browser.driving import FLAGS, PHONE, SLOW, App, find_browser, new_tab, settle, visit
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import save_model
from vae_core.runs.store import create_run
from vae_core.settings.config import RunConfig

EXAMPLE = "nverted"  # the most unusual example, with MNIST or without
PIXELS = "canvas => canvas.toDataURL()"
SEVEN = ((0.3, 0.2), (0.7, 0.2), (0.45, 0.8))
BAR = ((0.3, 0.5), (0.7, 0.5))
FAKE_CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
# From now on, in how many frames the page had no report.
WATCH = """() => {
  window.bare = 0;
  const look = () => {
    if (!document.body.textContent.includes("log p̂(x) =")) window.bare += 1;
    requestAnimationFrame(look);
  };
  look();
}"""
PASTE = """([png, text]) => {
  const data = new DataTransfer();
  if (text) data.setData("text/plain", text);
  if (png) {
    const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], "image.png", { type: "image/png" }));
  }
  const how = { clipboardData: data, bubbles: true, cancelable: true, composed: true };
  document.body.dispatchEvent(new ClipboardEvent("paste", how));
}"""
COPY = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  const blob = new Blob([bytes], { type: "image/png" });
  await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
}"""


def open_way(page: Page, app: App, way: str, **query: str) -> None:
    visit(page, f"{app.url}/score", {"way": way} | query)
    expect_report(page)


def expect_report(page: Page, name: str = "") -> str:
    """Wait for the report of an image of that name, or of any; return what its line says."""
    line = page.get_by_text("log p̂(x) =")
    expect(line).to_contain_text(f"{name}: log p̂(x) = −", timeout=SLOW)
    settle(page)
    return line.inner_text()


def expect_another_report(page: Page, before: str) -> str:
    expect(page.get_by_text("log p̂(x) =")).not_to_have_text(before, timeout=SLOW)
    return expect_report(page, "your drawing")


def pad(page: Page) -> Locator:
    return page.locator(".drawing canvas")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def places(page: Page, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Where points of the pad, as shares of its side, are on the screen."""
    box: Any = pad(page).bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]


def press_and_move(page: Page, points: Sequence[tuple[float, float]]) -> None:
    first, *others = places(page, points)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=8)


def draw(page: Page, points: Sequence[tuple[float, float]]) -> None:
    press_and_move(page, points)
    page.mouse.up()


def png() -> str:
    """A ring on paper, in base64."""
    image = Image.new("RGB", (120, 120), "white")
    ImageDraw.Draw(image).ellipse((36, 18, 84, 102), outline="black", width=12)
    out = io.BytesIO()
    image.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


# ---- drawing


def test_a_stroke_is_scored_once_the_pen_is_lifted(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Draw")
    press_and_move(page, SEVEN)
    page.wait_for_timeout(700)
    settle(page)
    expect_report(page, EXAMPLE)
    page.mouse.up()
    first = expect_report(page, "your drawing")
    expect(page).to_have_url(re.compile("shown=your.drawing"))
    expect(page.get_by_label(re.compile("Your drawing lies at"))).to_be_visible()
    draw(page, BAR)
    expect_another_report(page, first)
    expect(pad(page)).to_have_attribute("aria-label", re.compile("Your drawing, 2 strokes"))
    with page.expect_download() as saved:
        button(page, "All scores as CSV").click()
    rows = saved.value.path().read_text("utf-8").splitlines()
    assert [row.partition(",")[0] for row in rows] == ["file", "your drawing"]


def test_undo_and_clear_take_back_and_the_score_follows(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Draw")
    for name in ("Undo", "Clear"):
        expect(button(page, name)).to_be_disabled()
    draw(page, SEVEN)
    first = expect_report(page, "your drawing")
    draw(page, BAR)
    expect_another_report(page, first)
    button(page, "Undo").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("log p̂(x) =")).to_have_text(first, timeout=SLOW)
    button(page, "Clear").click()
    expect_report(page, EXAMPLE)
    pad(page).focus()
    page.keyboard.press("Control+z")
    expect(page.get_by_text("log p̂(x) =")).to_have_text(first, timeout=SLOW)


def test_the_drawing_survives_other_pages_and_other_ways(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Draw")
    draw(page, SEVEN)
    before = expect_report(page, "your drawing")
    seen = pad(page).evaluate(PIXELS)
    page.get_by_text("Files", exact=True).click()
    expect(page.get_by_test_id("stFileUploader")).to_be_visible(timeout=SLOW)
    expect_report(page, "your drawing")
    page.get_by_text("Draw", exact=True).click()
    expect(pad(page)).to_have_attribute("aria-label", re.compile("1 stroke"), timeout=SLOW)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Start").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Score images", timeout=SLOW)
    settle(page)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Score images").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Score images", timeout=SLOW)
    assert expect_report(page, "your drawing") == before
    assert pad(page).evaluate(PIXELS) == seen
    draw(page, BAR)
    expect_another_report(page, before)
    expect(pad(page)).to_have_attribute("aria-label", re.compile("2 strokes"))
    button(page, "Forget your images").click()
    expect_report(page, EXAMPLE)
    expect(pad(page)).to_have_attribute("aria-label", re.compile("no strokes"))


def test_back_leads_to_the_drawing(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Draw")
    draw(page, SEVEN)
    before = expect_report(page, "your drawing")
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Train").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train", timeout=SLOW)
    settle(page)
    page.go_back()
    assert expect_report(page, "your drawing") == before
    expect(pad(page)).to_have_attribute("aria-label", re.compile("1 stroke"))


@pytest.fixture
def slow_model(app_server: App) -> str:
    """A model, untrained, that takes seconds for what the others do in a moment."""
    folder = app_server.log.parent / "runs" / "slow"
    run = create_run(folder, RunConfig.from_settings({"hidden_size": 1024}))
    save_model(VAE(run.config.model), folder / "model.safetensors")
    status = folder / "status.json"
    status.write_text(json.dumps(json.loads(status.read_text()) | {"state": "stopped"}))
    return run.id


def test_older_scores_stay_until_the_new_one_is_there(
    app_server: App, slow_model: str, page: Page
) -> None:
    open_way(page, app_server, "Draw", K="50000", model=slow_model)
    draw(page, SEVEN)
    first = expect_report(page, "your drawing")
    page.evaluate(WATCH)
    draw(page, BAR)
    expect_another_report(page, first)
    assert page.evaluate("() => window.bare") == 0


def test_a_finger_draws_and_does_not_scroll(app_server: App, browser: Browser) -> None:
    with new_tab(browser, PHONE, has_touch=True, is_mobile=True) as page:
        draw_with_a_finger(app_server, page)


def draw_with_a_finger(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Draw")
    pad(page).scroll_into_view_if_needed()
    scrolled = page.get_by_test_id("stMain").evaluate("main => main.scrollTop")
    touch = page.context.new_cdp_session(page)
    upwards = ((0.5, 0.9), (0.5, 0.6), (0.5, 0.1))
    down, *others = [{"x": x, "y": y} for x, y in places(page, upwards)]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [down]})
    for place in others:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect_report(page, "your drawing")
    expect(page.locator(".st-key-score-line")).to_contain_text(re.compile("nats.*, percentile"))
    assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") == scrolled
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_the_way_is_in_the_address(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Files")
    for way in ("Draw", "Camera", "Paste"):
        page.get_by_text(way, exact=True).first.click()
        expect(page).to_have_url(re.compile(f"way={way}"), timeout=SLOW)
        expect(page.locator(f".st-key-score-way-{way.lower()}")).to_be_visible(timeout=SLOW)
        settle(page)


# ---- the camera


@pytest.fixture
def filmed(playwright: Playwright) -> Iterator[Page]:
    """A tab of a browser with a camera that shows a moving figure."""
    browser = playwright.chromium.launch(
        executable_path=find_browser(), args=[*FLAGS, *FAKE_CAMERA]
    )
    with new_tab(browser) as page:
        yield page
    browser.close()


def test_a_photo_is_scored_until_it_is_cleared(app_server: App, filmed: Page) -> None:
    open_way(filmed, app_server, "Camera")
    button(filmed, "Take Photo").click()
    expect_report(filmed, "your photo")
    filmed.get_by_role("button", name="Clear photo").click()
    expect_report(filmed, EXAMPLE)


def test_a_camera_that_is_refused_is_said(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Camera")
    expect(page.get_by_text("This app would like to use your camera")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("The browser asks for permission")).to_be_visible()


# ---- the clipboard


def test_an_image_pasted_anywhere_is_scored(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Paste")
    page.evaluate(PASTE, [png(), ""])
    expect_report(page, "pasted image")
    page.evaluate(PASTE, [png(), ""])
    expect_report(page, "pasted image 2")
    page.get_by_text("Draw", exact=True).click()
    expect(pad(page)).to_be_visible(timeout=SLOW)
    expect_report(page, "pasted image 2")


def test_what_is_no_image_is_said_in_a_sentence(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Paste")
    page.evaluate(PASTE, ["", "some text"])
    expect(page.get_by_text("There is no image in the clipboard")).to_be_visible()
    page.evaluate(PASTE, [base64.b64encode(b"no picture").decode(), ""])
    expect(page.get_by_test_id("stAlert")).to_contain_text("pasted image", timeout=SLOW)


def test_the_button_reads_the_clipboard_where_it_may(app_server: App, page: Page) -> None:
    open_way(page, app_server, "Paste")
    button(page, "Paste an image").click()
    expect(page.get_by_text("The browser did not let this page read the clipboard")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(COPY, png())
    button(page, "Paste an image").click()
    expect_report(page, "pasted image")
    page.keyboard.press("Control+v")
    expect_report(page, "pasted image 2")

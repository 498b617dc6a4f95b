"""A talk as a speaker gives it: made of screens, saved, opened again, and stepped by keys."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import SLOW, App, settle, visit


def press_for(page: Page, key: str, said: str) -> None:
    """Press a key and wait for what it shows."""
    page.keyboard.press(key)
    expect(page.get_by_text(said)).to_be_visible()
    settle(page)


@pytest.mark.tour
def test_a_talk_is_made_saved_opened_and_given_by_keys(
    app_server: App, page: Page, tmp_path: Path
) -> None:
    page.set_default_timeout(SLOW)
    visit(page, app_server.url, {"epsilon": "3", "image": "5"})
    page.locator("html[data-keys=listening]").wait_for(state="attached", timeout=SLOW)
    press_for(page, "a", "Added as step 1 of the talk.")
    page.get_by_label("Number of the draw").fill("8")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("epsilon=8"))
    page.get_by_role("link", name="Data").first.click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Data")
    settle(page)
    press_for(page, "a", "Added as step 2 of the talk.")

    page.keyboard.press("t")
    dialog = page.get_by_test_id("stDialog")
    note = dialog.get_by_label("Note of step 1")
    expect(note).to_be_visible()
    settle(page)
    note.press_sequentially("a question: <b>qp</b>")
    before = page.url
    note.press("Tab")
    expect(page).not_to_have_url(before)  # the address has the note
    settle(page)
    with page.expect_download() as saved:
        dialog.get_by_role("button", name="Save").click()
    saved.value.save_as(file := tmp_path / "talk.json")
    steps = json.loads(file.read_text("utf-8"))["steps"]
    assert [each["note"] for each in steps] == ["a question: <b>qp</b>", ""]
    dialog.get_by_role("button", name="Close the talk").click()
    expect(note).to_have_count(0)
    dialog.locator("input[type=file]").set_input_files(file)
    expect(note).to_have_value("a question: <b>qp</b>")
    settle(page)

    dialog.get_by_role("button", name="Present from the first step").click()
    line = page.get_by_role("group", name="Talk")
    expect(line).to_contain_text("1 / 2")
    expect(line).to_contain_text("a question: <b>qp</b>")
    expect(heading).to_have_text("Start")
    expect(page.get_by_label("Number of the draw")).to_have_value("3")  # not 8, as it was left
    settle(page)
    page.keyboard.press("n")
    expect(line.locator(".talk-note")).to_be_hidden()
    page.keyboard.press("PageDown")
    expect(heading).to_have_text("Data")
    expect(line).to_contain_text("2 / 2")
    settle(page)
    page.keyboard.press("PageDown")  # there is no third step
    page.keyboard.press("q")
    code = page.get_by_test_id("stDialog")
    expect(code.get_by_role("img", name="QR code of http")).to_be_visible()
    expect(code).not_to_contain_text("talk=")
    page.keyboard.press("Escape")
    expect(code).to_have_count(0)
    settle(page)
    page.keyboard.press("PageUp")
    expect(heading).to_have_text("Start")
    expect(page.get_by_label("Number of the draw")).to_have_value("3")
    settle(page)
    page.reload()
    settle(page)
    expect(line).to_contain_text("1 / 2")
    assert "could not be drawn ahead" not in app_server.log.read_text()

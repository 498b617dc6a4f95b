"""Images on the score page after the server was restarted under an open tab."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.driving import SLOW, free_port, new_tab, running_app, visit
from tests.browser.test_score import drawing, upload


def test_after_a_restart_the_uploader_shows_what_is_scored(
    browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    with new_tab(browser) as page:
        with running_app(tmp_path, port) as app:
            visit(page, f"{app.url}/score", {"model": "pretrained/digits-full-d2"})
            upload(page, drawing("first.png"))
            page.wait_for_url("**shown=first.png**", timeout=SLOW)
        with running_app(tmp_path, port):
            lost = page.get_by_text("One image could not be kept")
            expect(lost).to_be_visible(timeout=SLOW)
            uploader = page.get_by_test_id("stFileUploader")
            expect(uploader).to_have_count(1, timeout=SLOW)
            expect(uploader).not_to_contain_text("first.png")
            upload(page, drawing("second.png"))
            page.wait_for_url("**shown=second.png**", timeout=SLOW)
            expect(lost).to_have_count(0)

"""A report of a page is one file, which needs neither the app nor a network."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.driving import SLOW, App, new_tab, visit


def save_report(page: Page, address: str, file: Path) -> None:
    visit(page, address)
    with page.expect_download(timeout=SLOW) as saved:
        page.get_by_role("button", name="Save a report").click()
    saved.value.save_as(file)


@pytest.mark.tour
def test_reports_of_two_pages_work_from_a_file(
    app_server: App, page: Page, browser: Browser, tmp_path: Path
) -> None:
    first, second = tmp_path / "start.html", tmp_path / "latent.html"
    save_report(page, f"{app_server.url}/?image=5", first)
    save_report(page, f"{app_server.url}/latent?tab=Prior", second)
    with new_tab(browser) as reader:
        asked: list[str] = []
        said: list[str] = []
        reader.on("request", lambda request: asked.append(request.url))
        reader.on("console", lambda message: said.append(message.text))
        reader.on("pageerror", lambda error: said.append(str(error)))
        for file, heading in ((first, "Start"), (second, "Latent space")):
            reader.goto(file.as_uri())
            expect(reader.get_by_role("heading", level=1)).to_have_text(heading)
            charts = reader.locator("figure.chart")
            expect(charts).not_to_have_count(0)
            expect(reader.locator("figure.chart .main-svg").first).to_be_visible()
            assert reader.locator("figure.chart:not(:has(.main-svg))").count() == 0
            expect(reader.locator("pre").last).to_contain_text("from vae_core import")
        reader.goto(first.as_uri())
        expect(reader.locator("body")).to_contain_text("K = 1,000 · seed 0")  # the protocol
        expect(reader.locator("body")).to_contain_text("Test image, 0 to 299: 5")
        expect(reader.locator("math").first).to_be_visible()
        assert reader.locator("img").first.get_attribute("src", timeout=0).startswith("data:image/")  # type: ignore[union-attr]
        reader.emulate_media(media="print")
        expect(reader.locator(".modebar").first).to_be_hidden()
        local = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
        assert not local
        assert not said

"""The Classify page in a browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import App, expect_no_exception, settle, visit


@pytest.mark.tour
def test_ways_are_measured_and_a_way_is_chosen(app_server: App, page: Page) -> None:
    visit(page, f"{app_server.url}/classify", {"model": "pretrained/digits-mean-field-d16"})
    table = page.locator(".classify-table")
    expect(table).to_contain_text("Nearest neighbours", timeout=60_000)
    settle(page)
    page.get_by_role("radio", name="Nearest neighbours of E[z|x]").click()
    settle(page)
    expect(page.get_by_text("Test images of class").first).to_be_visible()
    expect(page.get_by_text("An image of your own")).to_be_visible()
    expect_no_exception(page)

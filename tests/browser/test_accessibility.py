"""Pages for people who see little or use a screen reader: what axe-core finds."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from app.shell.navigation import PAGES
from tests.browser.driving import SLOW, App, new_tab, visit

OF_STREAMLIT = {
    "list": '[data-testid="stSidebarNavItems"]',  # its sections are no items of the list
    "listitem": '[data-testid="stSidebarNav"] *',  # for the same reason
    "empty-table-header": '[data-testid="stDataFrame"] *',  # the column of tick boxes has no name
    "presentation-role-conflict": '[data-testid="stFileUploaderDropzone"]',  # named, not focusable
}
"""Rules that Streamlit's own elements break, and those elements. No setting changes them."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_of_ours(
    app_server: App, browser: Browser, name: str, scheme: str
) -> None:
    with new_tab(browser, color_scheme=scheme) as page:
        visit(page, app_server.url if name == "start" else f"{app_server.url}/{name}")
        # What a running script has not drawn yet, Streamlit shows pale for a moment
        expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=SLOW)
        found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
        ours = [
            (each["id"], node["html"][:200], node.get("failureSummary"))
            for each in found
            for node in each["nodes"]
            if not page.locator(str(node["target"][-1])).first.evaluate(
                "(e, of) => Boolean(of) && e.matches(of)", OF_STREAMLIT.get(each["id"], "")
            )
        ]
        assert not ours

"""Fixtures for tests that drive the real app in a real Chromium.

Without Chromium the tests are skipped. If ``ELBO_ROOM_REQUIRE_BROWSER`` is set, they fail instead.
"""

import contextlib
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from playwright.sync_api import Error as PlaywrightError

from tests.browser.driving import (
    App,
    expect_no_exception,
    find_browser,
    launch,
    running_app,
    tab_options,
)

HERE = Path(__file__).parent
_MOST_TEXT = 4000  # characters of a page in the report of a failure
expect.set_options(timeout=60_000)  # milliseconds; long, so that only a hang fails a test
# Streamlit requests its health check below the path of a page first, then below the root.
EXPECTED_404 = re.compile(r"/[\w-]+/_stcore/(health|host-config)$")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """Add to the report of a failed test what its page says, and its address."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and isinstance(page, Page):
        with contextlib.suppress(PlaywrightError):  # the page may be gone
            text = page.locator("body").inner_text(timeout=5000)
            report.sections.append(("The page at the end", f"{page.url}\n{text[:_MOST_TEXT]}"))
    return report


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright; skips or fails the test if no Chromium is installed."""
    if find_browser() is None:
        reason = "no Chromium on this computer; on Debian: apt-get install chromium"
        if os.environ.get("ELBO_ROOM_REQUIRE_BROWSER"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for the whole test run."""
    browser = launch(playwright)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def app_server(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[App]:
    """The app on a free port with empty run and cache folders, started once for a test module."""
    assert browser.is_connected()
    folder = tmp_path_factory.mktemp(request.module.__name__.rpartition(".")[2])
    with running_app(folder) as app:
        yield app


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """A window for the tabs of a test file. They share the scripts that the browser has compiled,
    which saves a third of the time of every page."""
    with browser.new_context(**tab_options()) as context:
        yield context


@pytest.fixture
def page(window: BrowserContext) -> Iterator[Page]:
    """A new tab of 1440 × 900, without what the tab before it stored.

    Errors in its console or on the page fail the test.
    """
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        if message.type == "error" and not EXPECTED_404.search(where):
            complaints.append(f"{message.text} ({where})")

    page = window.new_page()
    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
        expect_no_exception(page)
    finally:
        with contextlib.suppress(PlaywrightError):  # a page that did not load stored nothing
            page.evaluate("localStorage.clear()")
        for tab in window.pages:
            tab.close()
        window.clear_cookies()
        window.clear_permissions()
    assert not complaints, f"The page logged errors: {complaints}"

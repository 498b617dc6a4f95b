"""Keys that work on every page, and what a page says when the server is gone."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from app.shell.keys import GONE, KEYS
from app.shell.navigation import PAGES
from tests.browser.driving import SLOW, App, new_tab, running_app, settle, visit


def open_listening(page: Page, address: str, query: dict[str, str] | None = None) -> None:
    visit(page, address, query)
    page.locator("html[data-keys=listening]").wait_for(state="attached", timeout=SLOW)


def test_page_keys_turn_pages_in_presentation_mode(app_server: App, page: Page) -> None:
    open_listening(page, app_server.url, {"present": "true"})
    heading = page.get_by_role("heading", level=1)
    page.keyboard.press("PageDown")
    expect(heading).to_have_text(PAGES["data"].title)
    settle(page)
    page.keyboard.press("PageUp")
    expect(heading).to_have_text(PAGES["start"].heading)
    settle(page)


def test_brackets_turn_tabs(app_server: App, page: Page) -> None:
    open_listening(page, f"{app_server.url}/latent")
    tabs = page.get_by_test_id("stMain").get_by_role("tab")
    page.keyboard.press("]")
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    settle(page)
    page.keyboard.press("[")
    expect(tabs.nth(0)).to_have_attribute("aria-selected", "true")
    settle(page)


def test_a_question_mark_shows_all_keys_and_escape_hides_them(app_server: App, page: Page) -> None:
    open_listening(page, app_server.url, {"present": "true"})
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keys")
    for _, does in KEYS:
        expect(sheet).to_contain_text(does)
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()  # the mode goes on


def test_play_draws_one_epsilon_a_press_where_motion_is_unwanted(
    app_server: App, page: Page
) -> None:
    open_listening(page, app_server.url)
    number = page.get_by_label("Number of the draw")
    page.keyboard.press("p")
    expect(number).to_have_value("1")
    settle(page)
    page.keyboard.press("p")
    expect(number).to_have_value("2")
    settle(page)


def test_play_goes_on_until_it_is_paused(app_server: App, browser: Browser) -> None:
    with new_tab(browser) as page:
        page.emulate_media(reduced_motion="no-preference")
        open_listening(page, app_server.url)
        page.keyboard.press("p")
        expect(page.get_by_label("Number of the draw")).to_have_value(re.compile("[3-9]"))
        page.keyboard.press("p")
        settle(page)


def test_a_lost_server_is_described_in_our_own_words(tmp_path: Path, browser: Browser) -> None:
    with running_app(tmp_path) as app, new_tab(browser) as page:
        visit(page, app.url)
        app.kill()
        said = page.locator("[data-server-gone]")
        said.wait_for(state="attached", timeout=SLOW)
        assert said.get_attribute("data-server-gone") == GONE
        expect(page.get_by_text("yourscript.py")).to_be_hidden()

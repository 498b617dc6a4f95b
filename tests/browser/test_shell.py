"""What is around the pages: navigation, presentation mode, both themes, no noise."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from app.shell.navigation import MOVED, PAGES
from tests.browser.driving import (
    PHONE,
    App,
    expect_no_sideways_scroll,
    new_tab,
    running_app,
    settle,
    visit,
)

NAMES = list(PAGES)


def address(app: App, name: str) -> str:
    return app.url if name == "start" else f"{app.url}/{name}"


@pytest.mark.tour
@pytest.mark.parametrize("name", NAMES[::-1])
def test_every_page_opens_by_its_address_inside_the_shell(
    app_server: App, page: Page, name: str
) -> None:
    # The first page a fresh server is asked for is not the first in the navigation, on purpose.
    visit(page, address(app_server, name))
    expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[name].heading)
    navigation = page.get_by_test_id("stSidebarNav")
    for entry in PAGES.values():
        expect(navigation.get_by_role("link", name=entry.title)).to_be_visible()


OLD_LINK = "?model=pretrained/digits-full-d2&tab=ELBO+gap&x=1&x=2&y=%C3%A9%26&present=true"


@pytest.mark.parametrize("old", MOVED)
def test_a_former_address_leads_on_with_its_whole_query(
    app_server: App, page: Page, old: str
) -> None:
    visit(page, f"{app_server.url}/train")
    page.goto(f"{app_server.url}/{old}{OLD_LINK}")
    settle(page)
    expect_moved(page, MOVED[old])
    assert parse_qs(urlsplit(page.url).query)["y"] == ["é&"]
    while page.url != "about:blank" and "/train" not in page.url:
        page.go_back()
    assert "/train" in page.url, "who goes back is not led on again"
    settle(page)


def expect_moved(page: Page, name: str, address: str | None = None) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(PAGES[name].heading)
    expect(page).to_have_url(re.compile(rf"/{address or name}\?"))
    query = parse_qs(urlsplit(page.url).query)
    assert query["model"] == ["pretrained/digits-full-d2"]
    assert query["x"] == ["1", "2"]
    assert query["present"] == ["true"]


def test_without_redirects_a_former_address_shows_its_page(tmp_path: Path, page: Page) -> None:
    """As in `streamlit run app/main.py`, where Streamlit serves every address."""
    starting = ("streamlit", "run", "app/main.py", "--server.port")
    with running_app(tmp_path, starting=starting) as app:
        for old, name in MOVED.items():
            visit(page, f"{app.url}/{old}{OLD_LINK}")
            expect_moved(page, name, old)
        page.keyboard.press("Escape")
        links = page.get_by_test_id("stSidebarNav").get_by_role("link")
        expect(links).to_have_count(len(PAGES))
        links.filter(has_text="Posterior").click()
        expect(page).to_have_url(re.compile(r"/posterior\b"))
        settle(page)
        page.goto("about:blank")  # before the server ends


def test_an_address_of_several_parts_says_that_there_is_no_such_page(
    app_server: App, page: Page
) -> None:
    visit(page, f"{app_server.url}/latent/2?present=true")
    expect(page.get_by_role("heading", level=1)).to_have_text("No such page")
    expect(page).to_have_url(re.compile(r"/latent-2\?present=true"))
    visit(page, f"{app_server.url}/latent/")
    expect(page.get_by_role("heading", level=1)).to_have_text(PAGES["latent"].title)


@pytest.mark.tour
def test_the_navigation_leads_to_every_page(app_server: App, page: Page) -> None:
    visit(page, app_server.url)
    for entry in [*PAGES.values()][::-1]:
        page.get_by_test_id("stSidebarNav").get_by_role("link", name=entry.title).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(entry.heading)
        settle(page)


def test_nothing_is_fetched_from_elsewhere(app_server: App, page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    for name in NAMES:
        visit(page, address(app_server, name))
    outside = [u for u in requests if not u.startswith((app_server.url, "data:", "blob:"))]
    assert requests
    assert not outside


@pytest.mark.tour
def test_presentation_mode_lives_in_the_address_and_escape_leaves_it(
    app_server: App, page: Page
) -> None:
    visit(page, app_server.url)
    size = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    ordinary = page.evaluate(size)
    page.get_by_test_id("stSidebar").get_by_text("Presentation", exact=True).click()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    expect(page).to_have_url(re.compile(r"[?&]present=true(&|$)"))
    assert page.evaluate(size) > 1.2 * ordinary

    page.locator(".st-key-presenter-strip").get_by_role("link", name="Train").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    page.reload()
    settle(page)
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()

    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    expect(page).not_to_have_url(re.compile("present=true"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_app_follows_the_theme_of_the_system(
    app_server: App, browser: Browser, scheme: str
) -> None:
    with new_tab(browser, color_scheme=scheme) as page:
        visit(page, app_server.url)
        ground = page.get_by_test_id("stApp").evaluate("e => getComputedStyle(e).backgroundColor")
        brightness = sum(
            int(c) for c in ground.removeprefix("rgb(").removesuffix(")").split(",")[:3]
        )
        assert (brightness > 600) == (scheme == "light"), ground


@pytest.mark.parametrize("name", NAMES)
def test_no_page_scrolls_sideways_on_a_phone(app_server: App, browser: Browser, name: str) -> None:
    with new_tab(browser, PHONE) as page:
        visit(page, address(app_server, name))
        expect_no_sideways_scroll(page)

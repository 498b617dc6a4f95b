"""A batch of images that goes on when its page is closed."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.driving import SLOW, App, new_tab, visit
from tests.browser.test_score import many_rings, score_page, stop_button, upload
from tests.browser.test_score import models as models

MANY_DRAWS = "20000"


def made(page: Page) -> int:
    """How many images are scored, by the page."""
    text = page.get_by_text(re.compile(r"\d+ of 200 images scored")).inner_text(timeout=SLOW)
    return int(text.split(" of ")[0])


def test_a_batch_goes_on_without_its_page_and_its_link_brings_it_back(
    models: App, browser: Browser
) -> None:
    with new_tab(browser) as page:
        score_page(page, models, K=MANY_DRAWS)
        upload(page, many_rings())
        page.get_by_role("button", name="Go on without this page").click(timeout=2 * SLOW)
        expect(page.get_by_text("This batch goes on when you close the page.")).to_be_visible()
        page.wait_for_url("**batch=**")
        link, before = page.url, made(page)
    with new_tab(browser) as page:  # another visitor, with cookies and storage of their own
        visit(page, link)
        expect(stop_button(page)).to_be_visible(timeout=SLOW)
        page.wait_for_function(
            "before => Number(document.body.innerText.match(/(\\d+) of 200 images/)?.[1]) > before",
            arg=before,
            timeout=SLOW,
        )
        expect(page.get_by_text("many.zip/").first).to_be_attached(timeout=SLOW)
        page.get_by_role("button", name="Forget your images").click()
        expect(page).not_to_have_url(re.compile("batch="), timeout=SLOW)
    with new_tab(browser) as page:
        visit(page, link)
        expect(page.get_by_text("The batch of this link is no longer kept.")).to_be_visible()


@pytest.mark.parametrize("key", ["guessed", "%3Cb%3E*x*"])
def test_a_key_that_no_batch_has_shows_the_examples_and_says_so(
    app_server: App, page: Page, key: str
) -> None:
    visit(page, f"{app_server.url}/score", {"batch": key})
    expect(page.get_by_text("The batch of this link is no longer kept.")).to_be_visible()
    expect(page.get_by_text("log p̂(x) =")).to_be_visible(timeout=SLOW)

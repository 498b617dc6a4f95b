"""The Gradient lab, as someone uses it: it measures, can be stopped, and can be linked to."""

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.driving import (
    PHONE,
    SLOW,
    App,
    expect_no_exception,
    expect_no_sideways_scroll,
    new_tab,
    settle,
    visit,
)

QUICK = {"gradient-r": "30", "gradient-upto": "8"}
ENDLESS = {"gradient-r": "1000", "gradient-upto": "128"}


def lab(page: Page, app: App, **query: str) -> None:
    visit(page, f"{app.url}/gradients", QUICK | {k.replace("_", "-"): query[k] for k in query})


def measured(page: Page) -> None:
    """Wait until all is measured and drawn."""
    expect(page.get_by_text(re.compile(r"All [\d,]+ estimates are done"))).to_be_visible(
        timeout=SLOW
    )
    settle(page)


def said(page: Page) -> Locator:
    """What the page says of the numbers."""
    return page.locator(".st-key-gradient-said")


def stop_button(page: Page) -> Locator:
    """What stops the work or, once it is stopped, takes it up again; it goes when all is done."""
    return page.locator(".st-key-gradient-control").get_by_role("button").first


def curves(page: Page, chart: str) -> Locator:
    return page.locator(f".st-key-chart-gradient-{chart} path.js-line")


@pytest.mark.tour
def test_it_measures_by_itself_and_says_what_is_seen(app_server: App, page: Page) -> None:
    lab(page, app_server)
    measured(page)
    expect(said(page)).to_contain_text(re.compile(r"At L = 8, the score function has about \d+"))
    expect(said(page)).to_contain_text("all means agree within their errors")
    expect(stop_button(page)).to_have_count(0)
    for chart in ("variance", "signal", "coordinate", "cost"):
        expect(curves(page, chart).first).to_be_attached()
    protocol = "16 images of Digits 8×8, test 0 to 15 · dynamic binarisation"
    expect(page.get_by_text(protocol)).to_have_count(4)
    expect(page.get_by_role("checkbox", name=re.compile("DReG"))).to_be_disabled()
    expect(page.get_by_text("DReG: With K = 1")).to_be_visible()


def test_stop_keeps_what_is_there_and_go_on_takes_it_up_again(app_server: App, page: Page) -> None:
    lab(page, app_server, **ENDLESS)
    expect(curves(page, "variance").first).to_be_attached(timeout=SLOW)
    stop_button(page).click()
    expect(stop_button(page)).to_have_text("Go on")
    settle(page)
    done = page.get_by_text(re.compile(r"[\d,]+ of [\d,]+ estimates"))
    text = done.inner_text()
    page.wait_for_timeout(1500)
    expect(done).to_have_text(text)
    expect(curves(page, "variance").first).to_be_attached()
    stop_button(page).click()
    expect(stop_button(page)).to_have_text("Stop")
    expect(done).not_to_have_text(text)
    stop_button(page).click()


def test_k_above_one_takes_the_estimators_of_the_bound(app_server: App, page: Page) -> None:
    lab(page, app_server, gradient_k="5")
    measured(page)
    expect(said(page)).to_contain_text("DReG")
    expect(said(page)).not_to_contain_text("score function")
    expect(page.get_by_role("checkbox", name=re.compile("REINFORCE"))).to_be_disabled()
    expect(page.get_by_text("The IWAE bound (K above 1) needs the pathwise or")).to_be_visible()


def test_the_link_reproduces_the_screen(app_server: App, page: Page) -> None:
    lab(page, app_server, model="pretrained/digits-iaf-d2", gradient_l="4", gradient_z="2")
    measured(page)
    page.locator(".st-key-score-function label").click()
    expect(page).to_have_url(re.compile("score-function=false"))
    measured(page)
    page.get_by_role("radio", name="narrowest").click()
    expect(page).to_have_url(re.compile("gradient-axis=narrowest"))
    settle(page)
    expect(said(page)).to_contain_text("At L = 4")
    expect(said(page)).not_to_contain_text("REINFORCE")
    before = said(page).inner_text()
    visit(page, page.url)
    measured(page)
    expect(said(page)).to_have_text(before, use_inner_text=True)
    expect(page.get_by_role("spinbutton", name=re.compile("Latent dimension"))).to_have_value("2")
    expect(page.get_by_text("dynamic binarisation · L = 4 · K = 1 · R = 30")).to_be_visible()
    expect(page.get_by_role("checkbox", name=re.compile("REINFORCE"))).not_to_be_checked()


def test_nonsense_in_the_address_falls_back_to_the_defaults(app_server: App, page: Page) -> None:
    nonsense = {"model": "nowhere", "gradient_l": "7", "gradient_z": "99", "gradient_k": "3"}
    lab(page, app_server, **nonsense, gradient_first="-4", gradient_axis="x", split="none")
    measured(page)
    expect(said(page)).to_contain_text("At L = 8")
    expect(page.get_by_text("test 0 to 15 · dynamic binarisation · K = 1")).to_have_count(3)
    expect_no_exception(page)


def test_a_phone_shows_it_all_without_scrolling_sideways(app_server: App, browser: Browser) -> None:
    with new_tab(browser, PHONE) as page:
        lab(page, app_server)
        measured(page)
        expect(curves(page, "cost").first).to_be_attached()
        expect_no_sideways_scroll(page)

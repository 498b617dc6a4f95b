"""The Theory page: every section leads to its lab, and the lab shows the same numbers."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.driving import (
    PHONE,
    App,
    expect_no_exception,
    expect_no_sideways_scroll,
    new_tab,
    settle,
    visit,
)

CHOSEN = {"model": "pretrained/digits-full-d2", "image": "3", "L": "20"}
LINKS = {
    "questions": {"Score images of yours": ("Score images", None)},
    "bound": {"Take the gap apart": ("Posterior", "Gap")},
    "gradient": {"Measure the score function": ("Gradients", None)},
    "samples": {"Change L and watch the estimate": ("How a VAE works", None)},
    "map": {"See q(z|x) over the true posterior": ("Posterior", "Posterior")},
    "flow": {"See the flow step by step": ("Posterior", "Flow steps")},
}
"""By topic, the link to a lab, the title of the lab, and its open tab."""


def go(page: Page, app: App, **query: str) -> None:
    visit(page, f"{app.url}/theory", CHOSEN | query)
    expect(page.locator(".st-key-live-flow td").last).to_be_visible()
    settle(page)


def values(page: Page, topic: str) -> list[str]:
    """The numbers beside the text of a topic."""
    return page.locator(f".st-key-live-{topic} td:nth-child(2)").all_inner_texts()


def follow(page: Page, topic: str, label: str, title: str) -> None:
    page.locator(f".st-key-live-{topic}").get_by_role("link", name=label).click()
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    settle(page)
    expect_no_exception(page)


def test_every_section_opens_its_lab_with_the_model_and_the_image(
    app_server: App, page: Page
) -> None:
    for topic, links in LINKS.items():
        for label, (title, tab) in links.items():
            go(page, app_server)
            follow(page, topic, label, title)
            expect(page).to_have_url(re.compile(r"model=pretrained(/|%2F)digits-full-d2"))
            if title in ("How a VAE works", "Posterior"):
                expect(page.get_by_alt_text(re.compile("^test image 3[:,]", re.I))).to_be_visible()
            if tab:
                expect(page.get_by_role("tab", name=tab, selected=True)).to_be_visible()


def test_start_shows_the_same_numbers(app_server: App, page: Page) -> None:
    go(page, app_server)
    summary = page.locator(".st-key-theory-summary strong").all_inner_texts()
    terms = values(page, "terms")
    follow(page, "forms", "See both forms at work", "How a VAE works")
    expect(page.locator(".st-key-walk-readouts td:nth-child(2)")).to_have_text(summary)
    expect(page.locator(".st-key-walk-terms [data-testid=stMetricValue]")).to_have_text(terms)


def test_the_posterior_lab_shows_the_same_numbers(app_server: App, page: Page) -> None:
    go(page, app_server)
    (exact,) = values(page, "latent")[2:]
    log_px, _, ess, pareto_k = values(page, "weights")
    elbos = values(page, "flow")[2:]
    follow(page, "latent", "See the true posterior", "Posterior")
    table = page.locator(".posterior-figures")
    expect(table.locator("tr", has_text="log p(x)")).to_contain_text(exact.removesuffix(" nats"))
    for family, elbo in zip(("Full covariance", "Spline"), elbos, strict=True):
        row = table.locator("tr", has_text=family)
        expect(row).to_contain_text(elbo.removesuffix(" nats"))
    go(page, app_server)
    follow(page, "weights", "See the weights", "Posterior")
    row = page.locator(".posterior-figures tr", has_text="Full covariance")
    for value in (log_px.removesuffix(" nats"), ess, pareto_k):
        expect(row).to_contain_text(value)


def test_the_gradient_lab_shows_the_same_ratio(app_server: App, page: Page) -> None:
    go(page, app_server)
    cells = page.locator(".st-key-live-reparameterisation td:nth-child(2)")
    expect(cells).to_have_count(3)
    expect(page.get_by_text("estimates so far")).to_have_count(0)
    ratio = cells.last.inner_text()
    follow(page, "reparameterisation", "Compare all estimators", "Gradients")
    expect(page.get_by_text(re.compile(r"All [\d,]+ estimates are done"))).to_be_visible(
        timeout=300_000
    )
    expect(page.locator(".st-key-gradient-said")).to_contain_text(
        f"the score function has {ratio} times the variance of the pathwise gradient"
    )


def test_a_help_text_leads_to_the_symbol(app_server: App, page: Page) -> None:
    visit(page, app_server.url)
    page.locator(".st-key-L").get_by_test_id("stTooltipIcon").hover()
    link = page.get_by_role("link", name="ELBO", exact=True)
    target = link.get_attribute("href")
    assert target is not None
    visit(page, f"{app_server.url}/{target}")
    expect(page.locator(".st-key-theory-answer")).to_contain_text("evidence lower bound")


def test_a_phone_shows_the_page_without_sideways_scroll(app_server: App, browser: Browser) -> None:
    with new_tab(browser, PHONE) as phone:
        go(phone, app_server)
        expect_no_sideways_scroll(phone)


def test_the_lines_that_compute_a_number_unfold(app_server: App, page: Page) -> None:
    go(page, app_server)
    card = page.locator(".st-key-live-forms")
    card.get_by_text("The lines that compute it").click()
    expect(card.get_by_test_id("stCode")).to_contain_text("def joint_form")

"""The Posterior lab, as someone uses it: look, lay families over the truth, run, stop, share."""

import io
import re

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.driving import (
    PHONE,
    SLOW,
    App,
    expect_no_exception,
    expect_no_sideways_scroll,
    new_tab,
    plot,
    settle,
    visit,
)

MODEL, MANY = "pretrained/digits-full-d2", "pretrained/digits-mean-field-d16"
CHARTS = {
    "Posterior": ("posterior-map",),
    "Bounds": ("posterior-bounds", "posterior-iwae"),
    "Gap": ("posterior-gap",),
    "Flow steps": ("posterior-flow", "posterior-dets"),
    "Weights": ("posterior-weights", "posterior-concentration"),
    "Methods": ("posterior-methods",),
}
LIGHT = {"methods": "Amortised+q(z%7Cx)"}  # a method that takes no time


def go(page: Page, app: App, tab: str = "Posterior", model: str = MODEL, **query: str) -> None:
    visit(page, f"{app.url}/posterior", {"model": model, "tab": tab.replace(" ", "+")} | query)
    for chart in CHARTS[tab]:
        plot(page, chart).locator(".main-svg").first.wait_for(state="attached", timeout=SLOW)
    settle(page)


def expect_plot(page: Page, chart: str, text: str) -> None:
    """That a chart shows a text."""
    expect(plot(page, chart).filter(has_text=text)).to_have_count(1, timeout=SLOW)


def expect_rows(page: Page, *names: str) -> None:
    """That the table of the open tab has these rows."""
    names_shown = page.locator("table.posterior-figures tbody td:first-child")
    expect(names_shown).to_have_text(list(names), use_inner_text=True, timeout=SLOW)


def unfold(page: Page, name: str) -> None:
    """Open what holds the controls of a kind."""
    page.get_by_role("button", name=name).click()


def pill(page: Page, key: str, name: str) -> Locator:
    return page.locator(f".st-key-{key}").get_by_text(name, exact=True)


def stop(page: Page, panel: str) -> Locator:
    """The button that stops a panel's work, or takes it up again."""
    return page.locator(f".st-key-{panel}-control button").filter(visible=True).first


@pytest.mark.tour
def test_families_are_laid_over_the_true_posterior(app_server: App, page: Page) -> None:
    go(page, app_server)
    expect_rows(page, "Mean-field", "Full covariance", "Spline", "log p(x)")
    pointed = page.locator(".decoded-at-pointer figcaption")
    page.locator(".st-key-chart-posterior-map .nsewdrag").hover()
    expect(pointed).to_have_text(re.compile(r"^\(−?\d\.\d\d, −?\d\.\d\d\)$"))
    page.mouse.move(1, 1)
    expect(pointed).to_have_count(0)
    unfold(page, "Families of q")
    pill(page, "families", "Planar").click()
    pill(page, "families", "Spline").click()
    expect_plot(page, "posterior-map", "Planar")
    settle(page)
    expect_rows(page, "Mean-field", "Full covariance", "Planar", "log p(x)")
    expect(page).to_have_url(re.compile("families=Planar"))
    before = page.locator("table.posterior-figures").inner_text()
    page.reload()
    expect(page.locator("table.posterior-figures")).to_have_text(
        before, use_inner_text=True, timeout=SLOW
    )


def test_another_image_has_another_posterior(app_server: App, page: Page) -> None:
    go(page, app_server, families="Full+covariance")
    unfold(page, "Model and image")
    image = page.locator(".st-key-image input")
    image.fill("42")
    image.press("Enter")
    expect_plot(page, "posterior-map", "test image 42")
    expect(page.get_by_alt_text(re.compile("^test image 42"))).to_be_visible()
    expect(page).to_have_url(re.compile("image=42"))


def test_a_flow_is_gone_through_step_by_step(app_server: App, page: Page) -> None:
    go(page, app_server, "Flow steps", families="Planar")
    expect_plot(page, "posterior-flow", "z₄ of Planar")
    slider = page.locator(".st-key-step").get_by_role("slider")
    slider.press("ArrowLeft")
    expect_plot(page, "posterior-flow", "z₃ of Planar")
    expect(page).to_have_url(re.compile("step=3"))
    settle(page)
    for _ in range(20):  # a press is lost where the slider is drawn anew meanwhile
        slider.press("ArrowLeft")
        page.wait_for_timeout(700)
        if "step=0" in page.url:
            break
    settle(page)
    expect_plot(page, "posterior-flow", "the Gaussian base")
    page.locator("html[data-keys=listening]").wait_for(state="attached", timeout=SLOW)
    page.locator(".st-key-play button").filter(
        visible=True
    ).first.click()  # one step, because motion is unwanted
    expect_plot(page, "posterior-flow", "z₁ of Planar")
    settle(page)
    for _ in range(3):
        page.keyboard.press("p")
        settle(page)
        page.wait_for_timeout(700)
    expect_plot(page, "posterior-flow", "z₄ of Planar")
    page.keyboard.press("p")  # from the end to the start
    expect_plot(page, "posterior-flow", "the Gaussian base")
    page.wait_for_timeout(2000)  # the answer to the last press is on its way to the browser
    page.reload()
    page.wait_for_timeout(2000)
    expect_plot(page, "posterior-flow", "the Gaussian base")


def test_the_answer_to_a_key_does_not_write_the_address_that_the_key_wrote(
    app_server: App, page: Page
) -> None:
    """It would arrive after the next key, and put the former value back."""
    written: list[str] = []

    def note(data: str | bytes) -> None:
        message = ForwardMsg.FromString(data) if isinstance(data, bytes) else ForwardMsg()
        if message.HasField("page_info_changed"):
            written.append(message.page_info_changed.query_string)

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    go(page, app_server, "Flow steps", families="Planar")
    slider = page.locator(".st-key-step").get_by_role("slider")
    for _ in range(3):
        slider.press("ArrowLeft")
    expect_plot(page, "posterior-flow", "z₁ of Planar")
    settle(page)
    assert "step=1" in page.url
    assert not [query for query in written if "step=" in query]


def test_a_gaussian_has_no_steps_and_says_so(app_server: App, page: Page) -> None:
    visit(
        page,
        f"{app_server.url}/posterior",
        {"model": MODEL, "tab": "Flow+steps", "families": "Full+covariance"},
    )
    expect(page.get_by_text("this tab has nothing to show")).to_be_visible(timeout=SLOW)


def test_the_gap_is_taken_apart(app_server: App, page: Page) -> None:
    go(page, app_server, "Gap", families="Mean-field")
    expect(page.get_by_text("Mean-field converged after")).to_be_visible(timeout=SLOW)
    expect(stop(page, "gap")).to_have_count(0)
    expect_rows(page, "Mean-field")


def test_a_long_method_can_be_stopped_and_taken_up_again(app_server: App, page: Page) -> None:
    go(page, app_server, "Methods", families="Full+covariance", **LIGHT)
    pill(page, "methods", "Adversarial (AVB)").click()
    expect(page.get_by_text(re.compile(r"s, \d+% done"))).to_be_visible(timeout=SLOW)
    expect(stop(page, "methods")).to_have_text("Stop")
    stop(page, "methods").click()
    expect(stop(page, "methods")).to_have_text("Go on")
    settle(page)
    card = page.locator(".st-key-posterior-card-1")
    kept = card.inner_text()
    assert re.search(r"−\d+\.\d+ ± .* nats", kept)
    page.wait_for_timeout(1500)
    assert card.inner_text() == kept
    stop(page, "methods").click()
    expect(card).not_to_have_text(kept, use_inner_text=True, timeout=SLOW)


def test_an_image_of_the_models_own_is_bounded_from_both_sides(app_server: App, page: Page) -> None:
    old = {"model": MANY, "tab": "Ruler", "source": "Drawn+by+the+model"}  # a former name
    visit(page, f"{app_server.url}/posterior", old | {"draw": "3", "temperatures": "100"})
    expect_plot(page, "posterior-bounds", "BDMC, from above")
    expect_plot(page, "posterior-bounds", "AIS, from below")
    expect(page.get_by_role("tab", name="Bounds", selected=True)).to_be_visible()
    expect(stop(page, "bounds")).to_have_count(0)


def test_many_dimensions_are_drawn_by_hmc(app_server: App, page: Page) -> None:
    go(page, app_server, model=MANY)
    expect_plot(page, "posterior-map", "true p(z|x)")


def test_a_file_is_looked_at_and_a_broken_one_is_named(app_server: App, page: Page) -> None:
    go(page, app_server, source="Your+file", families="Full+covariance")
    unfold(page, "Model and image")
    chooser = page.get_by_test_id("stFileUploaderDropzoneInput")
    chooser.set_input_files(
        [{"name": "no.png", "mimeType": "image/png", "buffer": b"not an image"}]
    )
    expect(page.get_by_text("A test image is shown until you upload another file.")).to_be_visible()
    picture, out = Image.new("L", (60, 60), "white"), io.BytesIO()
    ImageDraw.Draw(picture).ellipse((15, 8, 45, 52), outline="black", width=8)
    picture.save(out, "PNG")
    chooser.set_input_files(
        [{"name": "ring.png", "mimeType": "image/png", "buffer": out.getvalue()}]
    )
    expect_plot(page, "posterior-map", "ring.png")
    expect(page.get_by_alt_text("ring.png, as the model sees it")).to_be_visible()


def test_a_file_outlives_another_page_and_can_be_forgotten(app_server: App, page: Page) -> None:
    go(page, app_server, source="Your+file", families="Full+covariance")
    picture, out = Image.new("L", (60, 60), "white"), io.BytesIO()
    picture.save(out, "PNG")
    unfold(page, "Model and image")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        [{"name": "white.png", "mimeType": "image/png", "buffer": out.getvalue()}]
    )
    expect(page.get_by_text("white.png shows nothing")).to_be_visible()
    elsewhere_and_back(page)
    expect(page.get_by_alt_text("white.png, as the model sees it")).to_be_visible(timeout=SLOW)
    unfold(page, "Model and image")
    page.get_by_role("button", name="Forget white.png").click()
    expect(page.get_by_alt_text(re.compile("^test image"))).to_be_visible()
    expect(page.get_by_text("white.png shows nothing")).to_have_count(0)


def elsewhere_and_back(page: Page) -> None:
    """To a page with tabs of its own, and by the navigation back."""
    links = page.get_by_test_id("stSidebarNav")
    links.get_by_text("Latent space").click()
    expect(page.get_by_role("tab", name="Manifold")).to_be_visible(timeout=SLOW)
    settle(page)
    links.get_by_text("Posterior").click()
    expect(page.get_by_role("tab", name="Weights")).to_be_visible(timeout=SLOW)
    settle(page)


def test_the_tab_is_found_again_as_it_was_left(app_server: App, page: Page) -> None:
    go(page, app_server, families="Full+covariance")
    page.get_by_role("tab", name="Weights").click()
    expect_plot(page, "posterior-weights", "log w")
    elsewhere_and_back(page)
    expect(page.get_by_role("tab", name="Weights")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile("tab=Weights"))
    page.get_by_role("tab", name="Posterior").click()
    expect_plot(page, "posterior-map", "true p(z|x)")
    elsewhere_and_back(page)
    expect(page.get_by_role("tab", name="Posterior")).to_have_attribute("aria-selected", "true")


def test_another_family_is_trained_for_the_decoder_of_a_model(app_server: App, page: Page) -> None:
    go(page, app_server, model=MANY)
    page.get_by_role("button", name="Train another family for it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train")
    settle(page)
    expect_no_exception(page)
    family = page.get_by_role("combobox", name="Posterior q(z|x)")
    expect(family).to_have_value("Full-covariance Gaussian")


def test_presentation_keeps_the_place(app_server: App, page: Page) -> None:
    go(page, app_server, "Weights", present="true", families="Planar")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    expect_plot(page, "posterior-weights", "log w")


@pytest.mark.parametrize("model", [MODEL, MANY])
def test_no_tab_scrolls_sideways_on_a_phone(app_server: App, browser: Browser, model: str) -> None:
    with new_tab(browser, PHONE) as page:
        query = LIGHT | {"families": "Planar", "anneal": "false"}
        for tab in CHARTS if model == MODEL else ("Posterior", "Methods"):
            go(page, app_server, tab, model, **query)
            expect_no_sideways_scroll(page)
            expect_no_exception(page)

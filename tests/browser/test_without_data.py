"""The app with a pretrained model of MNIST, where MNIST is not and the internet neither."""

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.driving import (
    PHONE,
    SLOW,
    App,
    expect_no_sideways_scroll,
    running_app,
    settle,
    visit,
)
from tests.browser.test_score import drawing, upload

MANY, TWO = "pretrained/mnist-mean-field-d50", "pretrained/mnist-full-d2"
MISSING = "MNIST 28×28 is not on this computer."
# What is to be seen on each page where there is no image of the data.
SHOWN = {
    "": ".st-key-chart-elbo",
    "latent": ".st-key-chart-latent-map",
    "posterior": ".js-plotly-plot",
    "gradients": ".js-plotly-plot",
}


class Proxy(ThreadingHTTPServer):
    """The only way to the internet, and it leads nowhere: it refuses, or keeps one waiting."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refusal)
        self.answers = threading.Event()
        self.answers.set()


class _Refusal(BaseHTTPRequestHandler):
    server: Proxy  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_CONNECT(self) -> None:
        self.server.answers.wait()
        with contextlib.suppress(BrokenPipeError):  # whoever asked may have stopped meanwhile
            self.send_error(503)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as it:
        thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield it
        it.answers.set()
        it.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def offline(
    browser: Browser, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """The app where nothing was ever downloaded, nor can be."""
    assert browser.is_connected()
    address = f"http://127.0.0.1:{proxy.server_port}"
    settings = {"VAE_DATA_DIR": "", "https_proxy": address, "no_proxy": ""}
    with running_app(tmp_path_factory.mktemp("offline"), settings=settings) as app:
        yield app


def open_page(page: Page, app: App, path: str = "", model: str = TWO, **query: str) -> None:
    visit(page, f"{app.url}/{path}", {"model": model} | query)


def test_the_first_screen_needs_no_download(offline: App, page: Page) -> None:
    visit(page, offline.url)
    expect(page.locator(SHOWN[""])).to_be_visible(timeout=SLOW)
    expect(page.get_by_text(MISSING)).to_have_count(0)
    assert "digits" in page.url


@pytest.mark.parametrize("path", SHOWN)
@pytest.mark.parametrize("model", [MANY, TWO])
def test_every_page_shows_what_it_can_and_says_what_is_missing(
    offline: App, page: Page, model: str, path: str
) -> None:
    open_page(page, offline, path, model)
    expect(page.locator(SHOWN[path]).first).to_be_visible(timeout=SLOW)
    if path != "posterior":  # which opens on an image that the model draws
        expect(page.get_by_text(MISSING)).to_be_visible()
        expect(page.get_by_role("button", name="Download MNIST 28×28, 12 MB")).to_be_visible()
        expect(page.get_by_text("VAE_DATA_DIR")).to_be_visible()
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    settle(page)
    expect(page.locator(SHOWN[path]).first).to_be_attached()
    expect_no_sideways_scroll(page)


def test_the_start_page_sends_images_of_the_model_through(offline: App, page: Page) -> None:
    open_page(page, offline)
    expect(page.get_by_text("draw 0 of the model", exact=True)).to_be_visible(timeout=SLOW)
    page.locator(".st-key-strip [role=radio]").nth(3).click()
    expect(page.get_by_text("draw 3 of the model", exact=True)).to_be_visible()
    expect(page.get_by_text("MNIST 28×28, drawn by the model")).to_be_visible()


@pytest.mark.parametrize("model", [MANY, TWO])
def test_a_file_gets_its_whole_report(offline: App, page: Page, model: str) -> None:
    open_page(page, offline, "score", model)
    expect(page.get_by_text(MISSING)).to_be_visible(timeout=SLOW)
    upload(page, drawing("ring.png"))
    expect(page.get_by_text("ring.png: log p̂(x) =")).to_be_visible(timeout=SLOW)
    settle(page)
    expect(page.get_by_text(re.compile(r"^Class: .+, if it is a digit"))).to_be_visible()
    page.get_by_text("Why this verdict?").click()
    expect(page.locator("strong", has_text=re.compile(r"Percentile \d"))).to_be_visible()
    nearest = page.get_by_text("Classes of the training images with the nearest latents")
    expect(nearest).to_contain_text(re.compile(r"\d, \d+\.\d+ σ"))
    expect(page.get_by_text("Their pictures are part of MNIST 28×28")).to_be_visible()


def test_the_score_page_opens_a_model_that_notices_with_other_digits_as_examples(
    offline: App, page: Page
) -> None:
    visit(page, f"{offline.url}/score")
    expect(page.get_by_text(MISSING)).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("Enlarged 7, inverted: log p̂(x) =")).to_be_visible(timeout=SLOW)
    expect(page).to_have_url(re.compile("model=pretrained%2Fmnist-full-d50"))


def test_a_drawing_is_scored_and_has_its_place_among_training_latents(
    offline: App, page: Page
) -> None:
    open_page(page, offline, "score", way="Draw")
    pad = page.locator(".drawing canvas")
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 50, steps=5)
    page.mouse.move(box["x"] + 90, box["y"] + 160, steps=5)
    page.mouse.up()
    expect(page.get_by_text("your drawing: log p̂(x) =")).to_be_visible(timeout=SLOW)
    expect(page.locator(".st-key-chart-score-place")).to_be_visible(timeout=SLOW)


def test_a_failed_download_says_why_and_another_model_is_a_click_away(
    offline: App, page: Page
) -> None:
    open_page(page, offline, "posterior", source="Test image")
    page.get_by_role("button", name="Download MNIST").click()
    failure = page.get_by_text("train-images-idx3-ubyte.gz could not be downloaded.")
    expect(failure).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Try again").click()
    expect(failure).to_be_visible(timeout=SLOW)
    expect(page).to_have_url(re.compile("mnist-full-d2"))
    settle(page)  # the text above may still be that of the first attempt
    page.get_by_role("button", name="Use a model that needs no download").click()
    expect(page.get_by_text("p(z|x) of test image 0: 8")).to_be_visible(timeout=SLOW)
    expect(page).to_have_url(re.compile("digits"))
    expect(page.get_by_text(MISSING)).to_have_count(0)


def test_a_download_can_be_stopped_while_the_page_goes_on(
    offline: App, proxy: Proxy, page: Page
) -> None:
    proxy.answers.clear()
    open_page(page, offline, "latent")
    page.get_by_role("button", name=re.compile("Download MNIST|Try again|Go on")).click()
    expect(page.get_by_text("Downloading MNIST 28×28: 0.0 of 11.6 MB")).to_be_visible()
    open_page(page, offline)  # another page, a new session: the same download
    expect(page.get_by_text("Downloading MNIST 28×28")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Another ε").click()
    expect(page.get_by_role("spinbutton", name="Number of the draw")).to_have_value("1")
    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("Stopped at 0.0 of 11.6 MB")).to_be_visible()
    proxy.answers.set()

"""How the app feels, in a real browser: from a click to what was asked for, drawn."""

import io
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.driving import DESKTOP, App, launch, running_app, settle

ROUNDS = 5
# What is drawn last on each page.
LAST = {
    "": ".st-key-chart-elbo .js-plotly-plot .scatterlayer .trace",
    "train": ".st-key-run-panels h3",
    "latent": ".st-key-latent-map .js-plotly-plot .main-svg",
    "score": "[data-testid=stFileUploaderDropzone]",
    "posterior_lab": ".js-plotly-plot .main-svg",
    "gradient_lab": ".js-plotly-plot .main-svg",
}
# From a click to the first frame with what was asked for on the screen and no script at work.
CLICK = """async ([link, title, wanted]) => {
  const app = document.querySelector('[data-testid=stApp]');
  const start = performance.now();
  link.click();
  for (;;) {
    await new Promise(requestAnimationFrame);
    const heading = document.querySelector('h1');
    if (heading && heading.innerText.trim() === title && document.querySelector(wanted)
        && app.dataset.testScriptState === 'notRunning'
        && !document.querySelector('[data-testid=stSkeleton]')) return performance.now() - start;
    if (performance.now() - start > 60000) throw new Error('a minute for ' + title);
  }
}"""


def main() -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = launch(playwright)
        show("server start to a useful Start page", [first_screen(browser, Path(folder))])
        with running_app(Path(folder)) as app:
            page = visitor(browser, app)
            for name, seconds in switches(page).items():
                show(f"switch to {name}, warm", seconds)
            show("upload to score, K = 1,000", uploads(page, app))
        browser.close()


def show(what: str, seconds: list[float]) -> None:
    print(f"  {what:44} {statistics.median(seconds):6.2f} s   (worst {max(seconds):.2f})")


def visitor(browser: Browser, app: App) -> Page:
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    page = context.new_page()
    page.goto(app.url)
    page.locator(LAST[""]).first.wait_for(state="attached", timeout=60_000)
    settle(page)
    return page


def first_screen(browser: Browser, folder: Path) -> float:
    """From starting the server to the Start page with its numbers, in a fresh browser profile."""
    start = time.perf_counter()
    with running_app(folder) as app:
        visitor(browser, app).context.close()
        return time.perf_counter() - start


def switches(page: Page) -> dict[str, list[float]]:
    """Seconds from a click in the navigation to the whole page, for pages seen before."""
    links = page.locator("nav a, [data-testid=stSidebarNav] a").all()
    titles = {link.inner_text().strip(): link for link in links}
    seconds: dict[str, list[float]] = {title: [] for title in titles}
    for turn in range(ROUNDS + 1):
        for title, link in titles.items():
            handle = link.element_handle()
            wanted = LAST[address_of(link.get_attribute("href") or "")]
            taken = page.evaluate(CLICK, [handle, title, wanted]) / 1000
            if turn > 0:
                seconds[title].append(taken)
    return seconds


def address_of(href: str) -> str:
    return re.sub(r"^https?://[^/]+/", "", href).partition("?")[0].strip("/")


def uploads(page: Page, app: App) -> list[float]:
    """Seconds from choosing a file to its log p̂(x); every file is another one."""
    page.goto(f"{app.url}/score")
    settle(page)
    seconds = []
    for turn in range(ROUNDS + 1):
        taken = timed(lambda name=f"ring-{turn}.png", at=turn: upload(page, name, at))
        if turn > 0:
            seconds.append(taken)
    return seconds


def upload(page: Page, name: str, at: int) -> None:
    field = page.get_by_test_id("stFileUploaderDropzoneInput")
    field.set_input_files([{"name": name, "mimeType": "image/png", "buffer": ring(at)}])
    page.get_by_text(f"{name}: log p̂(x) = −").wait_for(timeout=60_000)
    settle(page)


def ring(at: int) -> bytes:
    """A picture of a zero, elsewhere each time."""
    picture = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(picture).ellipse((50 + at, 40, 150, 160 - at), outline=0, width=18)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

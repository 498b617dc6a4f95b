"""Response times of the app in a real browser, from a click to the drawn result."""

import io
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.benchmarks.visitors import visitors
from tests.browser.driving import DESKTOP, App, launch, running_app, settle

ROUNDS = 5
CROWD = 20  # people who browse at the same time
WATCHED = 8.0  # seconds for which a run is watched
PROGRESS = re.compile(r"Epoch [\d,]+ of 20,000")
# The element that is drawn last on each page.
LAST = {
    "": ".st-key-chart-elbo .js-plotly-plot .scatterlayer .trace",
    "data": ".st-key-data-sheet img",
    "train": ".st-key-run-panels h3",
    "latent": ".st-key-latent-map .js-plotly-plot .main-svg",
    "score": ".st-key-score-pictures img",
    "posterior": ".js-plotly-plot .main-svg",
    "gradients": ".js-plotly-plot .main-svg",
    "compare": ".st-key-compare-list canvas",
    "classify": ".js-plotly-plot .main-svg",
    "theory": ".katex",
}
# Time from a click to the first frame with the wanted element and no script running.
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
# Time from a slider's move to the first frame with another decoded image.
SLIDE = """async ([slider, canvas, share]) => {
  const before = canvas.toDataURL();
  const start = performance.now();
  slider.value = Number(slider.min) + share * (slider.max - slider.min);
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  while (canvas.toDataURL() === before) {
    await new Promise(requestAnimationFrame);
    if (performance.now() - start > 60000) throw new Error('a minute for a slider');
  }
  return performance.now() - start;
}"""


def main() -> None:
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = launch(playwright)
        show("server start to a useful Start page", [first_screen(browser, Path(folder))])
        with running_app(Path(folder)) as app:
            page = visitor(browser, app)
            for name, seconds in switches(page).items():
                show(f"switch to {name}, warm", seconds)
            show("slider to decoded image", slides(page, app))
            show("upload to score, K = 1,000", uploads(page, app))
            with visitors(app.url, CROWD - 1) as others:
                for name, seconds in switches(page).items():
                    show(f"switch to {name}, {CROWD} people browsing", seconds)
            show("a page of the others, from the server", others.seconds)
            status = start_run(page, app, Path(folder))
            show("live panel behind the worker", lags(page, status))
            slower = slowed(page, status)
            print(f"  {'training while the page watches it':44} {slower:6.2f} × the time")
            stop_run(page)
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
    """Seconds from starting the server to the Start page with numbers, in a new browser profile."""
    start = time.perf_counter()
    with running_app(folder) as app:
        visitor(browser, app).context.close()
        return time.perf_counter() - start


def switches(page: Page) -> dict[str, list[float]]:
    """Seconds from a click in the navigation to the whole page, for pages already seen once."""
    seconds: dict[str, list[float]] = {}
    links = page.locator("[data-testid=stSidebarNav] a").all()
    titles = [visited(page, link) for link in links]
    for _ in range(ROUNDS):
        for link, title in zip(links, titles, strict=True):
            wanted = LAST[address_of(link.get_attribute("href") or "")]
            taken = page.evaluate(CLICK, [link.element_handle(), title, wanted])
            seconds.setdefault(title, []).append(taken / 1000)
    return seconds


def visited(page: Page, link: Locator) -> str:
    """Visit a page and return its title."""
    wanted = LAST[address_of(link.get_attribute("href") or "")]
    link.click()
    page.locator(wanted).first.wait_for(state="attached", timeout=60_000)
    settle(page)
    return page.locator("h1").inner_text().strip()


def address_of(href: str) -> str:
    return re.sub(r"^https?://[^/]+/", "", href).partition("?")[0].strip("/")


def slides(page: Page, app: App) -> list[float]:
    """Seconds from a slider's move to another decoded image on the screen."""
    page.goto(f"{app.url}/latent?tab=Decode&point=3")
    slider, canvas = page.locator(".rows input").first, page.locator("canvas.large")
    slider.wait_for(timeout=60_000)
    settle(page)
    handles = [slider.element_handle(), canvas.element_handle()]
    shares = [0.1 + 0.8 * (turn % 2) + 0.01 * turn for turn in range(4 * ROUNDS)]
    return [page.evaluate(SLIDE, [*handles, share]) / 1000 for share in shares][1:]


def start_run(page: Page, app: App, folder: Path) -> Path:
    """Start a long run on the Train page and return its status file."""
    page.goto(f"{app.url}/train")
    settle(page)
    page.get_by_label("Epochs", exact=True).fill("20000")
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_text(PROGRESS).wait_for(timeout=60_000)
    (status,) = (folder / "runs").glob("*/status.json")
    return status


def stop_run(page: Page) -> None:
    page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).click()
    settle(page)


def slowed(page: Page, status: Path) -> float:
    """Time of an epoch while the Train page shows the run, divided by the time while no page does.

    Returns the median over rounds; each round measures both, one after the other.
    """
    ratios = []
    for _ in range(ROUNDS):
        watched = epochs_in(status, WATCHED)
        address = page.url
        page.goto("about:blank")
        alone = epochs_in(status, WATCHED)
        page.goto(address)
        page.get_by_text(PROGRESS).wait_for(timeout=60_000)
        settle(page)
        ratios.append(alone / watched)
    return statistics.median(ratios)


def epochs_in(status: Path, seconds: float) -> float:
    """Epochs that a run makes per second, measured over ``seconds``."""

    def done() -> tuple[float, float]:
        found = json.loads(status.read_text())
        return found["heartbeat"], found["epoch"] + found["step"] / found["steps"]

    (start, before), _ = done(), time.sleep(seconds)
    end, after = done()
    return (after - before) / (end - start)


def lags(page: Page, status: Path) -> list[float]:
    """Age of the epoch on the Train page, at many moments of a run.

    The age is the time since the worker's status named a newer epoch; 0 if the page is up to date.
    """
    panel = page.get_by_text(PROGRESS)
    overtaken: dict[int, float] = {}  # when each epoch stopped being the newest
    behind, newest, end = [], 0, time.perf_counter() + WATCHED
    while (now := time.perf_counter()) < end:
        epoch = json.loads(status.read_text())["epoch"]
        overtaken |= dict.fromkeys(range(newest, epoch), now)
        newest = max(newest, epoch)
        shown = int(panel.inner_text().split()[1].replace(",", ""))
        behind.append(now - overtaken.get(shown, now))
    return behind


def uploads(page: Page, app: App) -> list[float]:
    """Seconds from choosing a file to its log p̂(x). Each file is different."""
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
    """Draw a picture of a zero, at a place that depends on ``at``."""
    picture = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(picture).ellipse((50 + at, 40, 150, 160 - at), outline=0, width=18)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start

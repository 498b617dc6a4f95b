"""Memory of the app's server after many visits and batches, when everybody has left.

Each visit opens one page in a browser of its own, and waits for it; each batch uploads images on
the Score page and waits for their scores. Before it, every page and a batch have been seen once.
"""

import itertools
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from app.shell.navigation import PAGES
from tests.benchmarks.load import MODEL, SAMPLES, archive, scored_on_page
from tests.browser.driving import App, launch, new_tab, running_app, settle
from tests.browser.soak import LEFT, Memory, address, see_every_page

VISITS, BATCHES, IMAGES = 300, 50, 300


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder)) as app,
        sync_playwright() as playwright,
    ):
        browser, source = launch(playwright), archive(Path(folder), IMAGES)
        see_every_page(app)
        score(browser, app, source)
        time.sleep(LEFT)
        memory = Memory(app)
        with memory.watched():
            for name in itertools.islice(itertools.cycle(PAGES), VISITS):
                open_page(browser, f"{app.url}/{address(name)}")
            visited = memory.now()
            for _ in range(BATCHES):
                score(browser, app, source)
        scored = memory.now()
        time.sleep(LEFT)
        print(f"  before: {memory.before} MB, at most {memory.most} MB")
        print(f"  after {VISITS} visits: {visited} MB")
        print(f"  after {BATCHES} batches of {IMAGES} images, {MODEL}, K = {SAMPLES}: {scored} MB")
        print(f"  {LEFT:.0f} s after the last has left: {memory.more_than_before:+} MB")


def open_page(browser: Browser, url: str) -> None:
    """Open a page as a new visitor, and leave it."""
    with new_tab(browser) as page:
        page.goto(url)
        settle(page)


def score(browser: Browser, app: App, source: Path) -> None:
    """Score a batch as a new visitor, and leave."""
    with new_tab(browser) as page:
        scored_on_page(page, app, source)

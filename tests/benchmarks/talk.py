"""A talk of ten steps given by keyboard, and the Compare page with many runs."""

import shutil
import tempfile
from pathlib import Path
from time import perf_counter, sleep

from playwright.sync_api import Page, sync_playwright

from app.shell.talk.talks import Talk, packed, step_of
from tests.benchmarks.app import CLICK, ROUNDS, show
from tests.browser.driving import App, launch, new_tab, running_app, settle
from vae_core.runs.execution import execute
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore
from vae_core.settings.config import RunConfig

SIZES = ((1280, 720), (1920, 1080))
LOOK = 4.0  # seconds that the speaker talks about a step, at least
COMPARED, STORED = 30, 200
TABLE, LIST = ".st-key-compare-group-0", ".st-key-compare-list canvas"
STEPS = (
    "start?", "start?image=3", "latent?", "latent?tab=Manifold", "posterior?",
    "posterior?tab=Bounds", "gradients?", "score?", "classify?", "theory?",
)  # fmt: skip
# The step is named, and a picture of it stands on the screen, not one that waits for its removal.
SHOWN = """([number, title]) => {
  const line = document.querySelector('.talk-line'), heading = document.querySelector('h1');
  if (!line || !line.innerText.includes(`${number} / `)) return false;
  if (!heading || heading.textContent.trim() !== title) return false;
  const pictures = document.querySelectorAll(
    '.js-plotly-plot .main-svg, [data-testid=stImage] img, canvas, .katex');
  return [...pictures].some(each => !each.closest('[data-stale=true], [data-retained]'));
}"""


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder)) as app,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        for size in SIZES:
            with new_tab(browser, size) as page:
                titles, _ = step_through(page, app, [])
                _, seconds = step_through(page, app, titles)
            for address, taken in zip(STEPS[1:], seconds, strict=True):
                show(f"{size[0]} × {size[1]}, PageDown to {address.rstrip('?')}", [taken])
        store = RunStore(Path(folder) / "runs")
        with new_tab(browser) as page:
            names = fill(store, COMPARED)
            address = f"{app.url}/compare?runs={','.join(names)}"
            show(f"Compare with {COMPARED} runs, seen before", returns(page, address, TABLE))
            fill(store, STORED)
        with new_tab(browser) as page:
            show(f"list of {STORED} runs", returns(page, f"{app.url}/compare", LIST))


def step_through(page: Page, app: App, titles: list[str]) -> tuple[list[str], list[float]]:
    """Give the talk; return the title of each step, and the seconds until its first picture.

    Args:
        titles: as an earlier talk returned them; without, the steps are only visited.
    """
    talk = Talk(tuple(map(step_of, STEPS)))
    page.goto(f"{app.url}/?present=true&talk={packed(talk)}&talk_step=1")
    settle(page)
    page.locator("html[data-keys=listening]").wait_for(state="attached", timeout=60_000)
    seen, seconds = [title_of(page)], []
    for number in range(2, len(STEPS) + 1):
        sleep(LOOK)
        start = perf_counter()
        page.keyboard.press("PageDown")
        if titles:
            page.wait_for_function(SHOWN, arg=[number, titles[number - 1]], timeout=60_000)
            seconds.append(perf_counter() - start)
        page.locator(".talk-line").filter(has_text=f"{number} / ").wait_for(timeout=60_000)
        settle(page)
        seen.append(title_of(page))
    return seen, seconds


def title_of(page: Page) -> str:
    return (page.locator("h1").first.text_content() or "").strip()


def fill(store: RunStore, count: int) -> list[str]:
    """Let the store have so many finished runs; return their ids."""
    names = sorted(run.id for run in store.runs())
    first = store.folder / names[0] if names else finished(store).folder
    for number in range(len(names) or 1, count):
        shutil.copytree(first, store.folder / f"run-{number}")
    return sorted(run.id for run in store.runs())


def finished(store: RunStore) -> Run:
    run = store.create(RunConfig.from_settings({"epochs": 3}))
    execute(run)
    store.queue.drop_finished()
    return run


def returns(page: Page, address: str, wanted: str) -> list[float]:
    """Seconds from a click on Compare to the whole page, which was opened by a link before."""
    page.goto(address)
    page.locator(wanted).first.wait_for(timeout=60_000)
    settle(page)
    links = page.locator("[data-testid=stSidebarNav] a")
    seconds = []
    for _ in range(ROUNDS):
        links.filter(has_text="Theory").click()
        page.locator(".katex").first.wait_for(timeout=60_000)
        settle(page)
        link = links.filter(has_text="Compare").element_handle()
        seconds.append(page.evaluate(CLICK, [link, "Compare", wanted]) / 1000)
    return seconds

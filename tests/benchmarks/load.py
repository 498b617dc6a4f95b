"""What the app promises while there is work: batches, key presses and clicks, twenty people.

- A .zip of 10,000 MNIST test images, K = 100: by the command, and on the page.
- An image by the convolutional model, K = 100.
- Key presses and clicks while a batch is scored and two other processes keep both cores busy: each
  is to show its effect within three seconds.
- Page switches while 19 others open the Score page, each with draws of their own.
"""

import io
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.benchmarks.app import CROWD, switches, visitor
from tests.benchmarks.report import load
from tests.benchmarks.visitors import visitors
from tests.browser.driving import App, launch, new_tab, plot, running_app, settle, visit
from vae_core.basics.paths import pretrained_folder
from vae_core.data.datasets import load_dataset

IMAGES, FLAGSHIP_IMAGES, SAMPLES = 10_000, 40, 100
PRESSES = 250  # of keys, and as many clicks
EFFECT = 3.0  # seconds
MODEL, FLAGSHIP = "mnist-mean-field-d50", "mnist-conv-sylvester-d50"
_LONG = 1800_000  # ms
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"
_SCORED = re.compile(r"[\d,]+ of [\d,]+ images scored")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many, few = (archive(folder, count) for count in (IMAGES, FLAGSHIP_IMAGES))
        by_command = commanded(many, MODEL, folder)
        show(f"{IMAGES:,} images by the command", by_command)
        each = commanded(few, FLAGSHIP, folder) / FLAGSHIP_IMAGES
        show("an image by the convolutional model", each)
        with sync_playwright() as playwright, running_app(folder) as app:
            browser = launch(playwright)
            with new_tab(browser) as page:
                on_page = scored_on_page(page, app, many)
            show(f"{IMAGES:,} images on the page", on_page)
            print(f"  {'the page in relation to the command':44} {on_page / by_command:6.2f} ×")
            with background(browser, app, many), load():
                for what, taken in presses(browser, app).items():
                    lost = sum(seconds > EFFECT for seconds in taken)
                    print(f"  {what:44} {lost} of {len(taken)} lost, longest {max(taken):.2f} s")
            crowd(browser, app)


def show(what: str, seconds: float) -> None:
    print(f"  {what:44} {seconds:6.2f} s", flush=True)


def archive(folder: Path, count: int) -> Path:
    """Write test images as a .zip of PNG files."""
    path = folder / f"{count}.zip"
    with zipfile.ZipFile(path, "w") as file:
        for index, image in enumerate(load_dataset("mnist").split("test")[0][:count]):
            out = io.BytesIO()
            Image.fromarray(image[0].numpy()).save(out, "PNG")
            file.writestr(f"{index:05}.png", out.getvalue())
    return path


def commanded(source: Path, model: str, folder: Path) -> float:
    """Seconds of the command that scores these images, from its start to its end."""
    command = [
        sys.executable, "-m", "vae_core", "score", str(pretrained_folder() / model), str(source),
        "--importance-samples", str(SAMPLES), "--csv", str(folder / f"{source.stem}.csv"),
    ]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def scored_on_page(page: Page, app: App, source: Path) -> float:
    """Seconds from choosing the .zip on the Score page until all images are scored."""
    visit(page, f"{app.url}/score", {"model": f"pretrained/{MODEL}", "K": str(SAMPLES)})
    start = time.perf_counter()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(source)
    page.get_by_text(_SCORED).wait_for(timeout=_LONG)
    page.get_by_text(_SCORED).wait_for(state="detached", timeout=_LONG)
    return time.perf_counter() - start


@contextmanager
def background(browser: Browser, app: App, source: Path) -> Iterator[None]:
    """Score a batch in another tab during a ``with`` block."""
    with new_tab(browser) as page:
        visit(page, f"{app.url}/score", {"model": f"pretrained/{MODEL}", "K": "10000"})
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(source)
        page.get_by_text(_SCORED).wait_for(timeout=_LONG)
        yield
        expect(page.get_by_text(_SCORED)).to_be_visible()  # it was not done before


def presses(browser: Browser, app: App) -> dict[str, list[float]]:
    """Seconds from each key press and each click to its effect."""
    with new_tab(browser) as page:
        visit(page, f"{app.url}/posterior", {"tab": "Flow steps", "families": "Planar"})
        slider = page.locator(".st-key-step").get_by_role("slider")
        slider.wait_for(timeout=_LONG)
        slider.focus()
        keys = []
        for turn in range(PRESSES):
            step = int(slider.input_value())
            wanted = step - 1 if turn // 4 % 2 == 0 else step + 1
            key = "ArrowLeft" if wanted < step else "ArrowRight"
            keys.append(
                until(
                    page,
                    lambda key=key: page.keyboard.press(key),
                    lambda wanted=wanted: (
                        slider.input_value() == str(wanted)
                        and drawn(page).startswith(f"z{_SUBSCRIPTS[wanted]}")
                    ),
                )
            )
            if keys[-1] > EFFECT:
                slider.focus()
        clicks = []
        visit(page, f"{app.url}/latent", {"tab": "Manifold"})
        canvas = page.locator("canvas.large").first  # of the tab Decode
        for turn in range(PRESSES):
            name = ("Decode", "Manifold")[turn % 2]
            control = page.get_by_role("tab", name=name, exact=True)
            clicks.append(
                until(
                    page, control.click, lambda name=name: canvas.is_visible() == (name == "Decode")
                )
            )
        return {"keys on a slider": keys, "clicks on a choice": clicks}


def drawn(page: Page) -> str:
    """The title of the chart of a flow's step."""
    return plot(page, "posterior-flow").locator(".gtitle").text_content(timeout=1000) or ""


def until(page: Page, act: Callable[[], object], happened: Callable[[], bool]) -> float:
    """Seconds from an action until its effect; more than ``EFFECT`` if there is none."""
    start = time.perf_counter()
    act()
    while (taken := time.perf_counter() - start) <= EFFECT:
        try:
            if happened():
                return taken
        except PlaywrightError:  # it is drawn anew at this moment
            pass
        page.wait_for_timeout(20)
    return taken


def crowd(browser: Browser, app: App) -> None:
    """Print how long a page switch takes while 19 others score."""
    page = visitor(browser, app)
    with visitors(app.url, CROWD - 1, scoring=True) as others:
        seconds = [each for times in switches(page).values() for each in times]
    show(f"page switch, {CROWD} people scoring: 95 % below", quantile(seconds))
    show("the same of the others, from the server", quantile(others.seconds))
    settle(page)


def quantile(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]

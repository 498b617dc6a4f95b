"""Start the real app and a real browser, wait for them, and end them with all their processes."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, Playwright, expect

SLOW = 300_000  # milliseconds; reached only when something is broken, also on a busy processor

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
MARK = "ELBO_ROOM_STARTED_BY"  # variable of an app's processes; they all inherit its value
DESKTOP, PHONE = (1440, 900), (390, 844)


def find_browser() -> str | None:
    """Path of Chromium; None if it is not installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def launch(playwright: Playwright) -> Browser:
    """Start a headless Chromium that connects to nothing but the app."""
    return playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))


@dataclass
class App:
    """The app in its own process."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def kill(self) -> None:
        """End the server at once, as a crash would. Its workers go on."""
        self.process.kill()
        self.process.wait()


@contextmanager
def running_app(
    folder: Path,
    port: int | None = None,
    settings: Mapping[str, str] | None = None,
    starting: Sequence[str] = ("app", "--port"),
) -> Iterator[App]:
    """Run the app with its runs, cache and log in ``folder``; end all its processes afterwards.

    Args:
        settings: environment variables.
        starting: the module that starts the app, and its arguments; the port follows the last.

    Raises:
        RuntimeError: if the app does not start; the message contains its log.
    """
    mark = uuid.uuid4().hex
    environment = isolated(folder) | {MARK: mark} | dict(settings or {})
    port = port or free_port()
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "app.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *starting, str(port)],
            cwd=ROOT, env=environment, stdout=out, stderr=out,
        )  # fmt: skip
    app = App(f"http://localhost:{port}", process, log)
    try:
        _await_health(app)
        yield app
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        end_offspring(mark)


def isolated(folder: Path) -> dict[str, str]:
    """Copy the environment, with runs, cache and data sets inside ``folder``."""
    places = {"VAE_RUNS_DIR": folder / "runs", "VAE_CACHE_DIR": folder / "cache"}
    own = {"VAE_DATASETS_DIR": str(folder / "datasets")}  # unless the variable is set
    return own | os.environ | {name: str(place) for name, place in places.items()}


def tab_options(size: tuple[int, int] = DESKTOP) -> dict[str, Any]:
    """Options of a window of this size, as Playwright's ``new_context`` takes them.

    Animations are off: without a graphics card they take as much of the processor as the page.
    """
    return {"viewport": {"width": size[0], "height": size[1]}, "reduced_motion": "reduce"}


@contextmanager
def new_tab(browser: Browser, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[Page]:
    """Open a tab with cookies and storage of its own.

    Args:
        options: those of Playwright's ``new_context``.
    """
    with browser.new_context(**{**tab_options(size), **options}) as context:
        yield context.new_page()


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def end_offspring(mark: str) -> None:
    """End processes that an app left running, such as workers, by their inherited mark (Linux)."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:  # not readable, or already ended
            continue


def _await_health(app: App, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and app.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{app.url}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"The app did not start:\n{app.log.read_text()}")


def settle(page: Page, seconds: float = 90) -> None:
    """Wait until Streamlit has drawn the page and no script is running."""
    app = page.locator("[data-testid=stApp]")
    expect(app).to_have_attribute(
        "data-test-script-state", re.compile("notRunning|initial"), timeout=seconds * 1000
    )
    page.locator("[data-testid=stMain] [data-testid=stElementContainer]").first.wait_for(
        state="attached", timeout=seconds * 1000
    )
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=seconds * 1000)
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0, timeout=seconds * 1000)


def expect_no_exception(page: Page) -> None:
    """Check that the page shows no traceback and no error box of Streamlit."""
    expect(page.locator("[data-testid=stException]")).to_have_count(0)


def expect_no_sideways_scroll(page: Page) -> None:
    """Check that the page is as wide as its window, once charts have taken their new width."""
    fits = "() => { const m = document.querySelector('[data-testid=stMain]');"
    fits += " return m.scrollWidth <= m.clientWidth }"
    page.wait_for_function(fits, timeout=60_000)


def visit(page: Page, address: str, query: Mapping[str, str] | None = None) -> None:
    """Open a page of the app, wait until it is drawn, and check that it shows no error."""
    text = "&".join(f"{key}={value}" for key, value in (query or {}).items())
    page.goto(f"{address}?{text}" if text else address)
    settle(page)
    expect_no_exception(page)


def plot(page: Page, chart: str) -> Locator:
    """Find a chart by its key. Until the script ends, the page also holds the old chart, hidden."""
    return page.locator(f".st-key-{chart}:not([data-retained]) .js-plotly-plot")

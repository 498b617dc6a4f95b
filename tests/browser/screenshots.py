"""Take screenshots of pages: ``python -m tests.browser.screenshots --out DIR [--page /latent]``.

Every page at 1440 × 900, at 390 × 844, and in presentation mode at 1280 × 720, light and dark. The
app is started for it, with the runs of ``--runs`` or none, unless ``--url`` names a running app.
"""

import argparse
import contextlib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from app.shell.navigation import PAGES
from tests.browser.driving import DESKTOP, PHONE, launch, running_app, settle

SIZES = {"desktop": DESKTOP, "phone": PHONE, "projector": (1280, 720)}
SCHEMES = ("light", "dark")


def main() -> None:
    """Take the screenshots that the command line asks for."""
    options = _arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    pages = options.page or ["/", *(f"/{name}" for name in list(PAGES)[1:])]
    with _app(options) as url, sync_playwright() as playwright:
        browser = launch(playwright)
        for page in pages:
            for size in options.size:
                for scheme in options.scheme:
                    print(take(browser, url, page, size, scheme, options))


def take(
    browser: Browser, url: str, page: str, size: str, scheme: str, options: argparse.Namespace
) -> Path:
    """Take one screenshot and return its path."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        device_scale_factor=options.scale,
    )
    tab = context.new_page()
    presenting = ("&" if "?" in page else "?") + "present=true" if size == "projector" else ""
    tab.goto(url + page + presenting)
    settle(tab)
    tab.wait_for_timeout(1000 * options.wait)
    name = re.sub(r"\W+", "-", page).strip("-") or "start"
    target = options.out / f"{name}-{size}-{scheme}.png"
    if options.full:
        # Streamlit scrolls inside the window, so the window grows to hold the whole page.
        whole = tab.get_by_test_id("stMain").evaluate("e => e.scrollHeight")
        tab.set_viewport_size({"width": width, "height": max(height, int(whole))})
        tab.wait_for_timeout(500)
    tab.screenshot(path=target)
    context.close()
    return target


@contextlib.contextmanager
def _app(options: argparse.Namespace) -> Iterator[str]:
    if options.url:
        yield options.url.rstrip("/")
        return
    with tempfile.TemporaryDirectory() as folder:
        settings = {"VAE_RUNS_DIR": str(options.runs.resolve())} if options.runs else {}
        with running_app(Path(folder), settings=settings) as app:
            yield app.url


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.browser.screenshots", description=__doc__
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument(
        "--page", action="append", help="an address such as /latent?model=… (default: all pages)"
    )
    parser.add_argument(
        "--size", action="append", choices=SIZES, help="size of the window (default: all)"
    )
    parser.add_argument(
        "--scheme", action="append", choices=SCHEMES, help="colour theme (default: both)"
    )
    parser.add_argument("--runs", type=Path, help="a run store to show")
    parser.add_argument("--url", help="address of a running app")
    parser.add_argument(
        "--wait", type=float, default=1.0, help="seconds to wait after the page is drawn"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="device pixels for each pixel")
    parser.add_argument(
        "--full", action="store_true", help="take the whole page, not only the window"
    )
    options = parser.parse_args()
    options.size = options.size or list(SIZES)
    options.scheme = options.scheme or list(SCHEMES)
    return options


if __name__ == "__main__":
    main()

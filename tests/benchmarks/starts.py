"""Pages that fail just after the server's start, when modules are still being imported."""

import re
import tempfile
import time
from pathlib import Path

from tests.benchmarks.report import load, quiet
from tests.benchmarks.visitors import visitors
from tests.browser.driving import running_app

STARTS = 30
WATCHED = 10.0  # seconds after the first pages; the last modules are imported 5 s after the start
VISITORS, LOOK = 3, 0.2
FAILED = re.compile("Traceback|reference [0-9a-f]+", re.I)


def main() -> None:
    for beside, context in (("with nothing beside it", quiet), ("with both cores busy", load)):
        failed, pages = 0, 0
        with context():
            for _ in range(STARTS):
                found, seen = start()
                failed, pages = failed + found, pages + seen
        print(f"  {STARTS} starts {beside}: {pages:,} pages, {failed} starts with a failing page")


def start() -> tuple[bool, int]:
    """Start the app, let visitors go through its pages at once; whether any failed, and pages."""
    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder)) as app:
        with visitors(app.url, VISITORS, LOOK) as crowd:
            time.sleep(WATCHED)
        return bool(FAILED.search(app.log.read_text())), crowd.pages


if __name__ == "__main__":
    main()

"""Random clicks by several browsers at once: ``python -m tests.browser.soak --minutes 20``.

Each browser takes any control of any page, while two other processes keep two cores busy. The
server must answer every message of a browser, show no error, and give its memory back. The runs
that the clicks begin are trained in a temporary folder.
"""

import argparse
import contextlib
import random
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, WebSocket, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from app.shell.navigation import PAGES
from tests.benchmarks.report import load, quiet
from tests.browser.controls import any_control
from tests.browser.driving import App, launch, new_tab, running_app, settle

ANSWER = 3.0  # seconds within which the server is to begin its answer
HANGS = 60.0  # seconds after which an answer is given up
REACTION = 0.3  # seconds in which a browser sends what a control asks for
LEFT = 60.0  # seconds for the server to forget those who left
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # of a terminal
MOST_MEMORY, KEPT_MEMORY = 800, 150  # MB at most, and more than before once all have left


@dataclass
class Soaked:
    """What one browser did and saw.

    Attributes:
        clicks: controls that were used.
        answers: seconds from each use that sent something to the beginning of the server's answer.
        faults: errors on a page or in the browser, each with the page and the control.
    """

    clicks: int = 0
    answers: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Messages:
    """What a tab asked the server for, and what the server began.

    Attributes:
        sent: the time of each message by which a user asked for a script.
        begun: how many scripts began.
    """

    def __init__(self, page: Page) -> None:
        self.sent: list[float] = []
        self.begun = 0
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, data: str | bytes) -> None:
        """Count what a user asks a script for; an upload and a download ask for addresses first.

        What ticks asks too: if its part of the page has gone, the server rightly ignores it.
        """
        if isinstance(data, bytes):
            asked = BackMsg.FromString(data)
            if asked.HasField("rerun_script") and not asked.rerun_script.is_auto_rerun:
                self.sent.append(time.monotonic())

    def _received(self, data: str | bytes) -> None:
        if isinstance(data, bytes) and ForwardMsg.FromString(data).HasField("new_session"):
            self.begun += 1


def main() -> None:
    """Let the browsers click, and print what they and the server's log and memory say."""
    options = _arguments()
    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder)) as app:
        see_every_page(app)
        memory = Memory(app)
        with quiet() if options.quiet else load(), memory.watched():
            seen = _browse(app.url, options)
        time.sleep(LEFT)
        faults = [fault for each in seen for fault in each.faults] + _logged(app)
        _report(seen, memory, faults)
        failed = bool(faults) or memory.most > MOST_MEMORY or memory.more_than_before > KEPT_MEMORY
    sys.exit(1 if failed else 0)


def _browse(url: str, options: argparse.Namespace) -> list[Soaked]:
    until = time.time() + 60 * options.minutes
    with ProcessPoolExecutor(options.browsers, get_context("spawn")) as pool:
        work = [
            pool.submit(soak, url, until, options.seed + turn) for turn in range(options.browsers)
        ]
        return [each.result() for each in work]


def soak(url: str, until: float, seed: int) -> Soaked:
    """Use random controls of random pages in one browser until the time ``until``."""
    rng, found = random.Random(seed), Soaked()
    with sync_playwright() as playwright, new_tab(launch(playwright)) as page:
        messages = Messages(page)
        page.on("pageerror", lambda error: found.faults.append(f"{page.url}: {error}"))
        page.on("dialog", lambda dialog: dialog.dismiss())
        page.on("popup", lambda other: other.close())
        while time.time() < until:
            page.goto(f"{url}/{address(rng.choice(list(PAGES)))}")
            settle(page)
            for _ in range(rng.randint(5, 40)):
                if time.time() > until or not page.url.startswith(url):
                    break
                with contextlib.suppress(PlaywrightError):  # the page was left meanwhile
                    _use_one(page, messages, rng, found)
    return found


def _use_one(page: Page, messages: Messages, rng: random.Random, found: Soaked) -> None:
    control = any_control(page, rng)
    if control is None:
        return
    what = f"{time.strftime('%X')} {page.url} · {control.kind} {control.name!r}"
    before = len(messages.sent), messages.begun
    control.use(rng)  # raises if a redraw took it away, or something covers it
    found.clicks += 1
    _await_answer(page, messages, before, found, what)
    wrong = page.get_by_text("Something went wrong").or_(page.get_by_test_id("stException"))
    if wrong.count():
        found.faults.append(f"{what}: something went wrong")
        page.reload()
        settle(page)


def _await_answer(
    page: Page, messages: Messages, before: tuple[int, int], found: Soaked, what: str
) -> None:
    sent, begun = before
    used = time.monotonic()
    with contextlib.suppress(PlaywrightError):
        while len(messages.sent) == sent and time.monotonic() - used < REACTION:
            page.wait_for_timeout(10)
        if len(messages.sent) == sent:
            return
        start = messages.sent[sent]
        while messages.begun == begun and time.monotonic() - start < HANGS:
            page.wait_for_timeout(10)
        seconds = time.monotonic() - start
        found.answers.append(seconds)
        if seconds > ANSWER:
            found.faults.append(f"{what}: no answer in {seconds:.1f} s")


# ---- the server


class Memory:
    """Resident memory of the server, in MB."""

    def __init__(self, app: App) -> None:
        self._file = Path(f"/proc/{app.process.pid}/status")
        self.before = self.most = self.now()

    def now(self) -> int:
        return int(re.findall(r"VmRSS:\s+(\d+)", self._file.read_text())[0]) // 1024

    @property
    def more_than_before(self) -> int:
        return self.now() - self.before

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Keep the largest value during a ``with`` block."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.5):
                self.most = max(self.most, self.now())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def see_every_page(app: App) -> None:
    """Open each page once, so that what all visitors share is in memory."""
    with sync_playwright() as playwright, new_tab(launch(playwright)) as page:
        for name in PAGES:
            page.goto(f"{app.url}/{address(name)}")
            settle(page)


def address(name: str) -> str:
    """Path of a page in the app's address."""
    return "" if name == next(iter(PAGES)) else name


def _logged(app: App) -> list[str]:
    """Return each traceback of the log, with the lines that follow it."""
    text = _COLOURS.sub("", app.log.read_text(errors="replace"))
    return re.findall(r"Traceback(?:[^\n]*\n){1,60}", text)


def _report(seen: list[Soaked], memory: Memory, faults: list[str]) -> None:
    clicks, answers = sum(each.clicks for each in seen), sorted(t for s in seen for t in s.answers)
    late = sum(t > ANSWER for t in answers)
    print(f"{len(seen)} browsers used {clicks:,} controls; {len(answers):,} asked the server.")
    if len(answers) > 1:
        print(
            f"The answer began after {statistics.median(answers):.2f} s in half of the cases, "
            f"after {statistics.quantiles(answers, n=20)[-1]:.2f} s in all but a twentieth; "
            f"{late} took over {ANSWER:.0f} s, the longest {answers[-1]:.2f} s."
        )
    print(
        f"Memory: {memory.before} MB before, {memory.most} MB at most, {memory.now()} MB "
        f"{LEFT:.0f} s after all had left."
    )
    print(f"Faults: {len(faults)}")
    for fault in faults:
        print(f"  {fault}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--browsers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="without other work on the cores")
    return parser.parse_args()


if __name__ == "__main__":
    main()

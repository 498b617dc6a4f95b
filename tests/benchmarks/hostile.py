"""Time and memory that each hostile run folder costs: a list, the worker, commands and pages.

Every folder of ``tests/hostile.py`` is measured alone, in this process: the seconds, and how far
the memory rises above what the process has before. A folder may cost five seconds and 300 MB more
than a healthy one.
"""

import contextlib
import io
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hostile import Hostile, hostile_store
from vae_core.basics.paths import pretrained_folder
from vae_core.basics.text import printable
from vae_core.cli.main import main as command
from vae_core.runs import worker
from vae_core.runs.run import CALIBRATION_FILE, DETECTION_FILE
from vae_core.runs.store import RunStore
from vae_core.runs.worker import Supervisor

SECONDS, MEGABYTES = 5.0, 300.0
PAGES_EVERY = 7  # pages are slow: each is opened with every seventh folder; kinds come in twelves
_VIEWS = Path(__file__).resolve().parents[2] / "app" / "views"
_PAGES = ("start", "latent", "score", "posterior", "gradients", "classify")
_HANGS = 60  # seconds

Action = Callable[[str], object]


@dataclass(frozen=True)
class Cost:
    """What one folder cost: seconds, megabytes above those before, and whether it failed."""

    folder: str
    seconds: float
    megabytes: float
    failure: str = ""

    def is_too_much(self, healthy: "Cost") -> bool:
        """Whether it is far above the cost of a healthy folder, or a failure."""
        slow = self.seconds - healthy.seconds > SECONDS
        return slow or self.megabytes - healthy.megabytes > MEGABYTES or bool(self.failure)


def main(every: int = 1, pages_every: int = PAGES_EVERY, only: Collection[str] = ()) -> list[Cost]:
    """Print a row for each action, and return the costs that are too high.

    Args:
        every: take each n-th folder only.
        pages_every: open pages with each n-th of these.
        only: names of the actions to measure; by default, all.
    """
    with tempfile.TemporaryDirectory() as place, _quiet_worker():
        made = hostile_store(Path(place) / "hostile")
        os.environ["VAE_RUNS_DIR"] = str(made.store.folder)
        bad = made.bad[::every]
        print(f"{len(bad)} folders; at most {SECONDS:g} s and {MEGABYTES:g} MB more are meant")
        print("| action | folders | healthy s | median s | worst s | worst MB | too much |")
        print("|" + " --- |" * 7)
        costs = [
            each
            for actions, names in (
                (_of_the_store(made), bad),
                (_commands(Path(place)), bad),
                (_pages(), bad[::pages_every]),
            )
            for what, action in actions.items()
            if what in only or not only
            for each in _row(what, action, made.store.folder / made.healthy, names)
        ]
        assert made.untouched(), "a file outside the run folders was changed"
    for each in costs:
        print(f"{each.folder}: {each.seconds:.1f} s, {each.megabytes:.0f} MB {each.failure}")
    return costs


def _row(what: str, action: Action, healthy: Path, names: Sequence[str]) -> list[Cost]:
    """Print the row of one action; return what cost too much.

    The healthy folder has no calibration and no detection report either, so an action that needs
    one makes it there too.
    """
    with contextlib.suppress(Exception):
        action(healthy.name)  # imports what it needs
    for made in (CALIBRATION_FILE, DETECTION_FILE):
        (healthy / made).unlink(missing_ok=True)
    usual = _cost(action, healthy.name)
    costs = [_cost(action, name) for name in names]
    slowest, largest = (max(costs, key=key) for key in (_seconds, _megabytes))
    wrong = [each for each in costs if each.is_too_much(usual)]
    print(
        f"| {what} | {len(costs)} | {usual.seconds:.3f} | "
        f"{statistics.median(map(_seconds, costs)):.3f} | "
        f"{slowest.seconds:.2f} ({slowest.folder}) | "
        f"{largest.megabytes:.0f} ({largest.folder}) | {len(wrong)} |",
        flush=True,
    )
    return [Cost(f"{what}: {e.folder}", e.seconds, e.megabytes, e.failure) for e in wrong]


def _seconds(cost: Cost) -> float:
    return cost.seconds


def _megabytes(cost: Cost) -> float:
    return cost.megabytes


def _cost(action: Action, name: str) -> Cost:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what the process has
    before, start, failure = _peak(), time.perf_counter(), ""
    signal.alarm(_HANGS)
    try:
        action(name)
    except Exception as error:
        failure = f"{type(error).__name__}: {printable(str(error), 200)}"
    finally:
        signal.alarm(0)
    return Cost(printable(name), time.perf_counter() - start, _peak() - before, failure)


def _peak() -> float:
    """Largest memory of this process since the peak was set back, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000


# ---- what is done with a folder


def _of_the_store(made: Hostile) -> dict[str, Action]:
    def listed(name: str) -> None:
        assert list(RunStore(made.store.folder).listed({name}))

    def round_of_the_worker(name: str) -> None:
        made.store.queue.add(name)
        Supervisor(made.store).tick()
        made.store.queue.remove(name)

    return {"list": listed, "worker": round_of_the_worker}


def _commands(place: Path) -> dict[str, Action]:
    picture, out = place / "picture.png", place / "out.png"
    _call("sample", "--count", "1", "--out", str(picture), "--", "pretrained/digits-full-d2")
    few = ("--limit", "3", "--importance-samples", "30")
    beside = str(pretrained_folder() / "digits-full-d2")
    return {
        "sample": lambda name: _call("sample", "--count", "1", "--out", str(out), "--", name),
        "evaluate": lambda name: _call("evaluate", *few, "--", name),
        "gap": lambda name: _call("gap", "--limit", "1", "--importance-samples", "30", "--", name),
        "score": lambda name: _call("score", "--", name, str(picture)),
        "classify": lambda name: _call("classify", *few, "--", name),
        "operating-point": lambda name: _call("operating-point", "--", name),
        "compare": lambda name: _call("compare", "--", name, beside),
        "calibrate": lambda name: _call("calibrate", "--limit", "100", "--", name),
        "detect": lambda name: _call("detect", "--limit", "10", "--", name),
        "train --resume": lambda name: _call("train", f"--run={name}", "--resume"),
    }


def _call(*given: str) -> None:
    """Run a command without its output. It must end with a status that is not one of a bug."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as said,
    ):
        try:
            status = command(given)
        except SystemExit as ended:
            status = ended.code
    assert status in (0, 1, 2), said.getvalue()[-300:]


def _pages() -> dict[str, Action]:
    from app.services import runs
    from app.shell import navigation

    navigation.link = lambda *_, **__: None  # there are no other pages here
    runs.store.clear()
    opened: dict[str, Action] = {
        f"page {name}": lambda folder, name=name: _open(name, model=folder) for name in _PAGES
    }
    opened["page train"] = lambda folder: _open("train", run=folder)
    opened["page compare"] = lambda folder: _open("compare", runs=folder)
    return opened


def _open(name: str, **query: str) -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(_VIEWS / name / "page.py"), default_timeout=_HANGS)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    said = [str(each.value) for each in app.error]
    assert not any("Something went wrong" in text for text in said), said


class _NoProcess:
    """A training process that ended at once."""

    returncode, pid = 1, 0

    def __init__(self, *_given: object) -> None:
        pass

    def poll(self) -> int:
        return self.returncode


@contextlib.contextmanager
def _quiet_worker() -> Iterator[None]:
    """Start no processes, and end what hangs with an error."""

    def hangs(*_given: object) -> None:
        raise TimeoutError(f"took over {_HANGS} s")

    spawn, handler = worker._spawn, signal.signal(signal.SIGALRM, hangs)
    worker._spawn = _NoProcess  # type: ignore[assignment]
    try:
        yield
    finally:
        worker._spawn = spawn
        signal.signal(signal.SIGALRM, handler)

"""A store of 1,000 runs: lists of it, the worker, and a redraw of the Train page."""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vae_core.runs.store import RunStore
from vae_core.runs.worker import Supervisor
from vae_core.settings.config import RunConfig

RUNS = 1000
IDLE = 10.0  # seconds for which the worker is watched
_TIMES = 5
_PAGE = Path(__file__).resolve().parents[2] / "app" / "views" / "train" / "page.py"
_SETTLED = 3.0  # seconds after which files are no longer new
_WORKER = """
import sys, time
from pathlib import Path
from vae_core.runs.store import RunStore
from vae_core.runs.worker import supervise

start = time.process_time()
supervise(RunStore(Path(sys.argv[1])), float(sys.argv[2]))
print(time.process_time() - start)
"""


def main(runs: int = RUNS, idle: float = IDLE) -> None:
    """Print seconds of processor time, and the share of a core that an idle worker takes."""
    with _store(runs) as store:
        print(f"{runs:,} runs, all of them done; medians of {_TIMES}")
        _print("the first list of the store", lambda: len(list(RunStore(store.folder).entries())))
        _print("a list of the store", lambda: len(list(store.entries())))
        supervisor = Supervisor(store)
        _print("a round of the worker, five each second", supervisor.tick)
        print(f"the worker without work: {_idle_share(store, idle):.2%} of a core")
        _print("a redraw of the Train page", _page(store))


@contextlib.contextmanager
def _store(runs: int) -> Iterator[RunStore]:
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder) / "runs")
        run = store.create(RunConfig.from_settings({"epochs": 1}))
        run.update(state="done", epoch=1)
        store.queue.drop_finished()
        for number in range(runs - 1):
            shutil.copytree(run.folder, store.folder / f"run-{number}")
        time.sleep(_SETTLED)
        yield store


def _idle_share(store: RunStore, seconds: float) -> float:
    """Processor time of a worker without work, as a share of ``seconds``."""
    command = [sys.executable, "-c", _WORKER, str(store.folder), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout) / seconds


def _page(store: RunStore) -> Callable[[], object]:
    from streamlit.testing.v1 import AppTest

    from app.services import runs
    from app.shell import navigation

    os.environ["VAE_RUNS_DIR"] = str(store.folder)
    navigation.link = lambda *_, **__: None  # there are no other pages here
    runs.store.clear()
    app = AppTest.from_file(str(_PAGE), default_timeout=120).run()
    return app.run


def _print(what: str, action: Callable[[], object]) -> None:
    action()
    seconds = statistics.median(_seconds(action) for _ in range(_TIMES))
    print(f"{what}: {seconds:.3f} s")


def _seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start

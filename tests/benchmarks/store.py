"""A store of 1,000 runs: to list it, a round of the worker, and a redraw of the Train page."""

import contextlib
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vae_core.runs.store import RunStore
from vae_core.runs.worker import Supervisor
from vae_core.settings.config import RunConfig

RUNS = 1000
_TIMES = 5
_PAGE = Path(__file__).resolve().parents[2] / "app" / "views" / "train" / "page.py"
_SETTLED = 3.0  # seconds after which files are no longer new


def main() -> None:
    """Print seconds of processor time."""
    with _store() as store:
        print(f"{RUNS:,} runs, all of them done; medians of {_TIMES}")
        _print("a list of the store", lambda: len(list(store.entries())))
        supervisor = Supervisor(store)
        _print("a round of the worker, five each second", supervisor.tick)
        _print("a redraw of the Train page", _page(store))


@contextlib.contextmanager
def _store() -> Iterator[RunStore]:
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder) / "runs")
        run = store.create(RunConfig.from_settings({"epochs": 1}))
        run.update(state="done", epoch=1)
        store.queue.drop_finished()
        for number in range(RUNS - 1):
            shutil.copytree(run.folder, store.folder / f"run-{number}")
        time.sleep(_SETTLED)
        yield store


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

"""The background worker: trains queued runs first-in first-out, each in a process of its own.

``python -m vae_core.runs.worker`` watches a store and ends when no work is left;
``python -m vae_core.runs.worker --run FOLDER`` trains one run. A training process that dies is
started again from its checkpoint. The worker does not import torch, so it starts fast.
"""

import argparse
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from filelock import FileLock, Timeout

from vae_core.basics.errors import UserError
from vae_core.runs.run import LOG_FILE, UNFINISHED, Run, RunError, Status
from vae_core.runs.store import RunStore

_POLL_SECONDS = 0.2
_IDLE_SECONDS = 30.0
_MOST_DEATHS = 3
_NICENESS = 5
_DETACHED_ON_WINDOWS = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(
    subprocess, "CREATE_NEW_PROCESS_GROUP", 0
)

log = logging.getLogger(__name__)
_started: dict[Path, subprocess.Popen[bytes]] = {}  # the last worker started here for a store


def _lock_of(store: RunStore) -> FileLock:
    store.folder.mkdir(parents=True, exist_ok=True)
    return FileLock(store.folder / ".worker.lock")


def ensure_worker(store: RunStore) -> bool:
    """Start a worker if the store has work and no worker runs; return whether one was started.

    The worker is detached: it continues when the process that started it ends.
    """
    if not any(_state(run) in UNFINISHED for run in store.runs()):
        return False
    last = _started.get(store.folder)
    if last is not None and last.poll() is None:
        return False  # that worker works, or is about to take the lock
    lock = _lock_of(store)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()  # two starters at once are harmless: the second worker finds the lock taken
    log_file = store.folder / ".worker.log"
    _started[store.folder] = _spawn(["--store", str(store.folder)], log_file)
    return True


def _status(run: Run) -> Status | None:
    try:
        return run.status()
    except RunError:  # the run was deleted or damaged after it was listed
        log.warning("The run %s can no longer be read", run.id)
        return None


def _state(run: Run) -> str:
    status = _status(run)
    return "" if status is None else status.state


def _spawn(arguments: list[str], log_file: Path) -> subprocess.Popen[bytes]:
    with log_file.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "vae_core.runs.worker", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,  # detached: continues when the parent process ends
            creationflags=_DETACHED_ON_WINDOWS,
        )


class Supervisor:
    """Keep one training process running for each device that queued runs ask for."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.children: dict[str, tuple[Run, subprocess.Popen[bytes]]] = {}  # by folder name

    def tick(self) -> bool:
        """Start and restart runs where needed, once; return whether work is left."""
        self._reap()
        unfinished = self._unfinished()
        busy = set()
        for run, status in unfinished:
            if self._is_worked_on(run):
                busy.add(run.config.train.device)
            elif status.state == "running":
                self._restart(run)
        for run, status in sorted(unfinished, key=lambda pair: pair[1].queued):
            device = run.config.train.device
            if status.state == "queued" and device not in busy:
                busy.add(device)
                self.children[run.id] = (run, _spawn_run(run))
        return bool(unfinished)

    def _reap(self) -> None:
        """Forget the processes that ended. One that failed before it began counts as a death."""
        for key, (run, process) in list(self.children.items()):
            if process.poll() is None:
                continue
            del self.children[key]
            if process.returncode != 0 and _state(run) == "queued":
                self._restart(run)

    def _unfinished(self) -> list[tuple[Run, Status]]:
        found = ((run, _status(run)) for run in self.store.runs())
        return [
            (run, status)
            for run, status in found
            if status is not None and (status.state in UNFINISHED or run.id in self.children)
        ]

    def _is_worked_on(self, run: Run) -> bool:
        return run.id in self.children or run.is_alive()

    def _restart(self, run: Run) -> None:
        """Queue a run again whose process ended unexpectedly: killed, crashed or shut down."""
        deaths = run.status().deaths + 1
        if deaths >= _MOST_DEATHS:
            run.update(
                state="failed",
                phase="",
                deaths=deaths,
                error=f"The training process died {deaths} times at the same place, perhaps for "
                f"lack of memory. The last checkpoint was kept; {LOG_FILE} may say more.",
            )
        else:
            run.update(state="queued", phase="restarting from its checkpoint", deaths=deaths)


def _spawn_run(run: Run) -> subprocess.Popen[bytes]:
    return _spawn(["--run", str(run.folder)], run.folder / LOG_FILE)


def supervise(store: RunStore, idle_seconds: float = _IDLE_SECONDS) -> None:
    """Work through the store until it had no work for ``idle_seconds``."""
    try:
        held = _lock_of(store).acquire(timeout=1)  # a mere check releases the lock before that
    except Timeout:
        return  # another worker is active
    supervisor, last_work, wait = Supervisor(store), time.monotonic(), threading.Event()
    with held:
        while time.monotonic() - last_work < idle_seconds:
            try:
                if supervisor.tick():
                    last_work = time.monotonic()
            except (RunError, OSError):  # a run deleted meanwhile, or a full disk
                log.exception("An error occurred; the worker tries again")
            wait.wait(_POLL_SECONDS)


def train_one(folder: Path) -> None:
    """Train the run in ``folder`` in this process, with a lower priority than the pages.

    A bug ends the process with status 1, and its traceback is in the run's log.
    """
    from vae_core.runs.execution import execute  # imports torch, which the supervisor does without

    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    run = Run.open(folder)
    try:
        execute(run, devices=folder.parent, only_if_queued=True)
    except Exception:
        if run.status().state != "failed":  # the bug could not be recorded
            raise
        sys.exit(1)


def main() -> None:
    """Watch a store, or train one run."""
    parser = argparse.ArgumentParser(prog="python -m vae_core.runs.worker", description=__doc__)
    parser.add_argument("--store", type=Path, help="the run store to work through")
    parser.add_argument("--run", type=Path, help="train only this run, in this process")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        if given.run is not None:
            train_one(given.run)
        else:
            supervise(RunStore(given.store))
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

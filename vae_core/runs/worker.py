"""The background worker: trains queued runs first-in first-out, each in a process of its own.

``python -m vae_core.runs.worker`` watches a store and ends when no work is left;
``python -m vae_core.runs.worker --run FOLDER`` trains one run. A training process that dies is
started again from its checkpoint. The worker does not import torch, so it starts fast.
"""

import argparse
import contextlib
import errno
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from vae_core.basics.errors import UserError, sentence_of
from vae_core.basics.plain_files import check_plain, open_to_append
from vae_core.basics.text import PlainFormatter, as_sentence, printable
from vae_core.basics.warned import say_it_elsewhere
from vae_core.runs.failures import (
    WAITING_FOR_SPACE,
    is_writable,
    waiting_sentence,
    what_was_kept,
)
from vae_core.runs.queue import QUEUE_FILE
from vae_core.runs.run import LOG_FILE, UNFINISHED, Run, RunError, Status
from vae_core.runs.store import RunStore
from vae_core.runs.sweeping import sweep_store

_POLL_SECONDS = 0.2
_IDLE_SECONDS = 30.0
_MOST_DEATHS = 3
_TRY_LATER = 75  # exit status of a training process that found the disk full (EX_TEMPFAIL)
_WAIT_FOR_SPACE = 60.0  # seconds until a run tries again, though the disk seems to be as full
_SHORT_WAIT = 2.0  # seconds until it tries again where space was freed
_FREED = 1_000_000  # bytes
_NICENESS = 5
_TEMPORARY = (
    errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.ENOMEM, errno.EAGAIN, errno.EMFILE,
    errno.ENFILE, errno.EIO, errno.EROFS, errno.ETIMEDOUT,
)  # fmt: skip
"""Errors that may go away: a full or read-only disk, too little memory, a network that is away."""
_DETACHED_ON_WINDOWS = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(
    subprocess, "CREATE_NEW_PROCESS_GROUP", 0
)

log = logging.getLogger(__name__)
_started: dict[Path, subprocess.Popen[bytes]] = {}  # the last worker started here for a store


def _lock_of(store: RunStore) -> FileLock:
    store.folder.mkdir(parents=True, exist_ok=True)
    check_plain(store.folder / ".worker.lock")
    return FileLock(store.folder / ".worker.lock")


def ensure_worker(store: RunStore) -> bool:
    """Start a worker if the store has work and no worker runs; return whether one was started.

    The worker is detached: it continues when the process that started it ends.
    """
    if not _has_work(store):
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
    arguments = ["--store", str(store.folder)]
    try:
        output = open_to_append(store.folder / ".worker.log")
    except OSError:
        log.warning("The log of the worker cannot be written", exc_info=True)
        _started[store.folder] = _spawn(arguments, None)
    else:
        with output:
            _started[store.folder] = _spawn(arguments, output)
    return True


def _has_work(store: RunStore) -> bool:
    """Whether a run is unfinished that the store may start."""
    may_start = store.queue.ids()
    return any(
        found.status.state in UNFINISHED for found in store.listed(may_start) if found.status
    )


def _status(run: Run) -> Status | None:
    try:
        return run.status()
    except RunError:  # the run was deleted or damaged after it was listed
        log.warning("The run %s can no longer be read", printable(run.id))
        return None


def _state(run: Run) -> str:
    status = _status(run)
    return "" if status is None else status.state


def _spawn(arguments: list[str], output: BinaryIO | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "vae_core.runs.worker", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if output is None else output,
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).resolve().parents[2],
        start_new_session=True,  # detached: continues when the parent process ends
        creationflags=_DETACHED_ON_WINDOWS,
    )


@dataclass(frozen=True)
class _Wait:
    """A run that found the disk full: when, how much was free, and when the user queued it."""

    since: float
    free: int
    queued: float

    def is_over(self, run: Run, status: Status) -> bool:
        """Whether to try again: space was freed, or the user asks for it, or it is time."""
        waited = time.monotonic() - self.since
        freed = _free_space(run.folder) - self.free >= _FREED
        asked = status.queued != self.queued
        return asked or waited > _WAIT_FOR_SPACE or (freed and waited > _SHORT_WAIT)


def _free_space(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


def _may_go_away(run: Run, error: OSError) -> bool:
    """Whether an error of a run may go away by itself.

    A folder that was written by the training, and no longer can be, may be writable again later.
    A queued run in a folder that cannot be written may be one of another user.
    """
    forbidden = isinstance(error, PermissionError) and not is_writable(run)
    return error.errno in _TEMPORARY or (forbidden and _state(run) == "running")


class Supervisor:
    """Keep one training process running for each device that queued runs ask for.

    An error of one run, such as a folder that cannot be written, is logged once and costs only
    that run. Runs that were copied into the store are left alone until the user queues them. A run
    that finds the disk full waits until there is space, one that can no longer be written waits
    until it can, and the other runs go on meanwhile.
    """

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self.children: dict[str, tuple[Run, subprocess.Popen[bytes]]] = {}  # by folder name
        self._killed: set[str] = set()  # ids of runs whose last process a signal ended
        self._given_up: set[str] = set()
        self._waiting: dict[str, _Wait] = {}  # for space on the disk, by id
        self._logged: set[tuple[str, str]] = set()

    def tick(self) -> bool:
        """Start and restart runs where needed, once; return whether work is left."""
        self._reap()
        unfinished = self._unfinished()
        busy = set()
        for run, status in unfinished:
            if run.id in self.children or (status.state == "running" and run.is_alive()):
                busy.add(run.config.train.device)
            elif status.state == "running":
                self._guarded(run, self._restart)
        for run, status in sorted(unfinished, key=lambda pair: pair[1].queued):
            device = run.config.train.device
            if status.state != "queued" or device in busy or self._waits(run, status):
                continue
            if run.is_alive() or self._guarded(run, self._start):
                busy.add(device)
        return bool(unfinished)

    def _reap(self) -> None:
        """Forget the processes that ended. One that failed before it began counts as a death."""
        for key, (run, process) in list(self.children.items()):
            if process.poll() is None:
                continue
            del self.children[key]
            if process.returncode < 0:
                self._killed.add(key)
            if process.returncode == _TRY_LATER:
                queued = getattr(_status(run), "queued", 0.0)
                self._waiting[key] = _Wait(time.monotonic(), _free_space(run.folder), queued)
            elif process.returncode != 0 and _state(run) == "queued":
                self._guarded(run, self._restart)

    def _unfinished(self) -> list[tuple[Run, Status]]:
        may_start = self.store.queue.ids()
        listed = self.store.listed(may_start | self.children.keys())
        found = [(each.run, each.status) for each in listed if each.run and each.status]
        finished = {run.id for run, status in found if status.state not in (*UNFINISHED, "paused")}
        if finished & may_start:
            with contextlib.suppress(OSError):
                self.store.queue.drop_finished()
        return [
            (run, status)
            for run, status in found
            if run.id in self.children
            or (status.state in UNFINISHED and self._may_start(run, may_start))
        ]

    def _may_start(self, run: Run, ids: frozenset[str]) -> bool:
        return (run.id in ids and run.id not in self._given_up) or run.is_alive()

    def _waits(self, run: Run, status: Status) -> bool:
        """Whether a queued run waits for space on the disk."""
        wait = self._waiting.get(run.id)
        if wait is not None and wait.is_over(run, status):
            del self._waiting[run.id]
        return run.id in self._waiting

    def _guarded(self, run: Run, action: Callable[[Run], None]) -> bool:
        """Do something with a run; return whether it could be done."""
        try:
            action(run)
        except (RunError, OSError) as error:
            reason = as_sentence(printable(sentence_of(error) or str(error)))
            if (run.id, reason) not in self._logged:
                self._logged.add((run.id, reason))
                log.warning("The run %s cannot be trained: %s", printable(run.id), reason)
            if isinstance(error, RunError) or not _may_go_away(run, error):
                self._give_up(run, reason)
            return False
        return True

    def _give_up(self, run: Run, reason: str) -> None:
        """Mark a run as failed, or forget it where that cannot be written."""
        self._given_up.add(run.id)
        with contextlib.suppress(RunError, OSError):
            run.update(state="failed", phase="", error=reason)
        with contextlib.suppress(OSError):
            self.store.queue.remove(run.id)

    def _start(self, run: Run) -> None:
        run.check_files()
        with open_to_append(run.folder / LOG_FILE) as output:
            self.children[run.id] = (run, _spawn(["--run", str(run.folder)], output))

    def _restart(self, run: Run) -> None:
        """Queue a run again whose process ended unexpectedly: killed, crashed or shut down.

        A run whose process died several times in a row is marked as failed, unless it got further
        in between: a checkpoint sets the count back to zero. A process that ended because the disk
        is full, and could not write so, did not die.
        """
        if run.id in self._waiting:
            run.update(state="queued", phase=WAITING_FOR_SPACE, error=waiting_sentence(run))
            return
        deaths = run.status().deaths + 1
        if deaths >= _MOST_DEATHS:
            how = "was killed" if run.id in self._killed else "died"
            run.update(
                state="failed",
                phase="",
                deaths=deaths,
                error=f"The training process {how} {deaths} times. It died each time before it "
                f"got further, perhaps for lack of memory. {what_was_kept(run)} {LOG_FILE} may "
                "say more.",
            )
        else:
            run.update(state="queued", phase="restarting from its checkpoint", deaths=deaths)


def supervise(store: RunStore, idle_seconds: float = _IDLE_SECONDS) -> None:
    """Work through the store until it had no work for ``idle_seconds``."""
    try:
        held = _lock_of(store).acquire(timeout=1)  # a mere check releases the lock before that
    except Timeout:
        return  # another worker is active
    supervisor, last_work, wait = Supervisor(store), time.monotonic(), threading.Event()
    logged = ""
    with held:
        sweep_store(store.folder, QUEUE_FILE)
        while time.monotonic() - last_work < idle_seconds:
            try:
                if supervisor.tick():
                    last_work = time.monotonic()
            except (RunError, OSError) as error:  # a run deleted meanwhile, or a full disk
                if str(error) != logged:  # not five times a second
                    log.exception("An error occurred; the worker tries again")
                logged = str(error)
            wait.wait(_POLL_SECONDS)


def train_one(folder: Path) -> None:
    """Train the run in ``folder`` in this process, with a lower priority than the pages.

    A bug ends the process with status 1, and its traceback is in the run's log. A full disk ends
    it with a status of its own, so that the worker waits for space.
    """
    from vae_core.runs.execution import execute  # imports torch, which the supervisor does without

    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    run = Run.open(folder)
    before = run.status()
    try:
        state = execute(run, devices=folder.parent, only_if_queued=True, wait_for_space=True)
    except Exception:
        if run.status().state != "failed":  # the bug could not be recorded
            raise
        sys.exit(1)
    status = run.status()
    recorded = status.state == state and status != before
    if state == "queued" and (not recorded or status.phase == WAITING_FOR_SPACE):
        sys.exit(_TRY_LATER)
    if status.state != state:  # the end could not be recorded: the supervisor must know
        sys.exit(1)


def main() -> None:
    """Watch a store, or train one run."""
    parser = argparse.ArgumentParser(prog="python -m vae_core.runs.worker", description=__doc__)
    parser.add_argument("--store", type=Path, help="the run store to work through")
    parser.add_argument("--run", type=Path, help="train only this run, in this process")
    given = parser.parse_args()
    say_it_elsewhere()
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    try:
        if given.run is not None:
            train_one(given.run)
        else:
            supervise(RunStore(given.store))
    except UserError as error:
        sys.exit(printable(str(error)))
    except Exception:
        log.exception("An unexpected error ended this process")
        sys.exit(1)


if __name__ == "__main__":
    main()

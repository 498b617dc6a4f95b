"""A run is a folder: it can be copied, zipped and mailed.

The configuration is written once, and again if the run gets more epochs. The status is replaced in
one step. The metrics grow by one line per epoch. The weights are those of the kept epoch; those of
the last step lie beside them when the run has ended. The checkpoint continues training. The
evaluation and the held-out scores are the final figures.

The process of a run holds a lock on the folder. The operating system releases the lock when the
process ends, in whatever way, so the lock tells whether the process is alive.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from vae_core.basics.errors import UserError
from vae_core.basics.files import replace_plain
from vae_core.basics.paths import run_folder, runs_folder
from vae_core.basics.plain_files import (
    NotAPlainFile,
    check_folder,
    check_plain,
    kind_of,
    names_in,
    open_plain,
    open_to_append,
    read_json,
    read_plain,
)
from vae_core.basics.strict_json import nan_for_null
from vae_core.basics.text import as_sentence, printable
from vae_core.data.kept import DATASET_FILE
from vae_core.runs.checked import checked_figures
from vae_core.runs.metrics import Reader, kept_epoch_of, line_of
from vae_core.runs.own_data import kept_info
from vae_core.runs.queue import STATUS_FILE, Queue
from vae_core.runs.status import UNFINISHED, State, Status
from vae_core.settings.config import RunConfig
from vae_core.settings.fields import ConfigError

__all__ = ["STATUS_FILE", "UNFINISHED", "Run", "RunError", "State", "Status"]  # and the file names

Request = Literal["pause", "stop"]
log = logging.getLogger(__name__)

LOG_FILE = "worker.log"
"""Output of the training process of a run, and the tracebacks of its failures."""

# The names of the files in a run folder
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
WEIGHTS_FILE = "model.safetensors"
LAST_WEIGHTS_FILE = "last.safetensors"
START_WEIGHTS_FILE = "start.safetensors"
CHECKPOINT_FILE = "resume.pt"
EVALUATION_FILE = "evaluation.json"
HELD_OUT_FILE = "held_out.safetensors"
CALIBRATION_FILE = "calibration.safetensors"
DETECTION_FILE = "detection.json"
OPERATING_POINT_FILE = "operating_point.json"
LATENTS_FILE = "latents.npz"
EXAMPLES_FILE = "examples.safetensors"
SNAPSHOTS_FOLDER = "snapshots"
CONTROL_FILE = "control"
LOCK_FILE = ".lock"
FILES = (
    CONFIG_FILE, DATASET_FILE, STATUS_FILE, METRICS_FILE, WEIGHTS_FILE, CHECKPOINT_FILE,
    EVALUATION_FILE, HELD_OUT_FILE, CALIBRATION_FILE, DETECTION_FILE, OPERATING_POINT_FILE,
    LATENTS_FILE, EXAMPLES_FILE, START_WEIGHTS_FILE, LAST_WEIGHTS_FILE, CONTROL_FILE, LOCK_FILE,
    LOG_FILE,
)  # fmt: skip
"""All files of a run."""
_EVALUATED = ("log_px", "log_px_se", "elbo", "elbo_se")  # figures of every evaluation
_MOST_NAMES = 100_000
_LONGEST_REASON = 300


class RunError(UserError, RuntimeError):
    """A run cannot be read or used; the message says why."""


@dataclass(frozen=True)
class Run:
    """A run folder that can be read."""

    folder: Path
    config: RunConfig

    @property
    def id(self) -> str:
        """Name of the folder."""
        return self.folder.name

    @property
    def name(self) -> str:
        """Name of the run in lists, in one line."""
        return printable(self.config.name)

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Open the run in a folder.

        Args:
            folder: the folder, ``pretrained/NAME``, or the id of a run in the run store.

        Raises:
            RunError: if the folder is not a run or its files are damaged.
        """
        folder = run_folder(folder)
        if folder.parent == runs_folder() and kind_of(folder) == "a symbolic link":
            raise damaged(folder, "", NotAPlainFile("its folder is a symbolic link"))
        config = read_config(folder)
        run = cls(folder, config)
        run.status()
        return run

    def status(self) -> Status:
        """Read the status from disk.

        Raises:
            RunError: if the file is missing or damaged.
        """
        try:
            return Status.from_dict(read_json(self.folder / STATUS_FILE))
        except (ValueError, OSError) as error:
            raise damaged(self.folder, STATUS_FILE, error) from error

    def update(self, **changes: Any) -> Status:
        """Replace some fields of the status and renew the heartbeat."""
        status = dataclasses.replace(self.status(), **{"heartbeat": time.time(), **changes})
        replace_plain(self.folder / STATUS_FILE, json.dumps(dataclasses.asdict(status)))
        return status

    def lock(self) -> FileLock:
        """Return the lock that the run's process holds as long as it lives.

        Raises:
            RunError: if the file of the lock is not a plain file.
        """
        path = self.folder / LOCK_FILE
        try:
            check_plain(path)
            if path.exists() and path.stat().st_nlink > 1:  # a lock is emptied when it is taken
                raise NotAPlainFile(f"{LOCK_FILE} is another file too, by a hard link")
        except NotAPlainFile as error:
            raise damaged(self.folder, LOCK_FILE, error) from error
        return FileLock(path)

    def is_alive(self) -> bool:
        """Whether a process is working on the run right now. Nothing is written."""
        try:
            return _is_locked(self.folder / LOCK_FILE)
        except OSError:
            return False  # no process can have locked it

    def check_files(self) -> None:
        """Check that every file of the run is a plain one, and its folders too.

        Raises:
            RunError: otherwise.
        """
        snapshots = self.folder / SNAPSHOTS_FOLDER
        try:
            check_folder(snapshots)
            for path in [self.folder / name for name in FILES]:
                check_plain(path)
            for name in names_in(snapshots, _MOST_NAMES):
                check_plain(snapshots / name)
        except NotAPlainFile as error:
            raise damaged(self.folder, "", error) from error

    # ---- what the user asks of a run

    def request(self, action: Request) -> None:
        """Ask a queued or running run to pause or stop, which takes at most one step."""
        if self.is_alive():
            replace_plain(self.folder / CONTROL_FILE, action)
        elif self.status().state in UNFINISHED:
            self.update(state="paused" if action == "pause" else "stopped", phase="")

    def requested(self) -> str:
        """Return the open request of the user: ``pause``, ``stop`` or an empty string."""
        try:
            return read_plain(self.folder / CONTROL_FILE, 100).decode("utf-8", "replace")
        except OSError:
            return ""

    def clear_request(self) -> None:
        """Remove the request of the user, which was carried out or no longer applies."""
        with contextlib.suppress(OSError):
            (self.folder / CONTROL_FILE).unlink(missing_ok=True)

    def enqueue(self) -> None:
        """Queue a paused, stopped or failed run again. It continues from its checkpoint.

        A run that was copied into the store is queued in the same way.

        Raises:
            RunError: if a process works on the run, or the run is done.
            OSError: if the folder of the run or of the store cannot be written.
        """
        if self.is_alive() or self.status().state == "done":
            raise RunError(f"{self.name} is {self.status().state}; there is nothing to resume.")
        self.clear_request()

        def queued() -> None:
            self.update(state="queued", phase="", queued=time.time(), error="", deaths=0)

        Queue(self.folder.parent).add(self.id, before=queued)

    def claim(self) -> None:
        """Let the store of the run restart it if its process dies, where there is a store."""
        queue = Queue(self.folder.parent)
        if queue.exists():
            queue.add(self.id)

    # ---- what a run has recorded

    def metrics(self) -> list[dict[str, Any]]:
        """Read the metrics, one row per epoch from epoch 1; skip a half-written last line.

        Raises:
            RunError: if lines are damaged.
        """
        found = Reader(self.folder / METRICS_FILE).read()
        if found.problem:
            raise damaged(self.folder, METRICS_FILE, ValueError(found.problem))
        if found.unreadable:
            lines = f"{found.unreadable} of its lines cannot be read"
            raise damaged(self.folder, METRICS_FILE, ValueError(lines))
        return list(found.rows)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Append the row of an epoch."""
        with open_to_append(self.folder / METRICS_FILE) as file:
            file.write(line_of(row).encode())

    def cut_metrics(self, epochs: int) -> None:
        """Keep the rows of the first ``epochs`` epochs, which are part of the checkpoint.

        Lines that cannot be read are left out, with a warning in the log.
        """
        found = Reader(self.folder / METRICS_FILE).read()
        if found.unreadable:
            lost = "1 line was" if found.unreadable == 1 else f"{found.unreadable} lines were"
            log.warning("%s left out of %s because of damage.", lost, METRICS_FILE)
        rows = [row for row in found.rows if row["epoch"] <= epochs]
        replace_plain(self.folder / METRICS_FILE, "".join(map(line_of, rows)))

    def kept_epoch(self) -> dict[str, Any] | None:
        """Collect what is known about the kept epoch (:func:`.metrics.kept_epoch_of`).

        None before the end of the first epoch, and for a run of an earlier version.
        """
        rows = Reader(self.folder / METRICS_FILE).read().rows
        return kept_epoch_of(rows[-1]) if rows else None

    def evaluation(self) -> dict[str, Any] | None:
        """Read the final figures with their protocol; None before the run is evaluated.

        Raises:
            RunError: if the file is damaged.
        """
        try:
            found = checked_figures(nan_for_null(read_json(self.folder / EVALUATION_FILE)))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise damaged(self.folder, EVALUATION_FILE, error) from error
        if missing := [name for name in _EVALUATED if name not in found]:
            reason = ValueError(f"it does not say {missing[0]}")
            raise damaged(self.folder, EVALUATION_FILE, reason)
        return found

    def checkpoint_digest(self) -> str:
        """Identifier of the weights now in ``model.safetensors``; empty if the file is missing."""
        path = self.folder / WEIGHTS_FILE
        try:
            if kind_of(path) != "a file":
                return ""
            about = path.stat()
        except OSError:
            return ""
        return hashlib.sha256(f"{about.st_mtime_ns}-{about.st_size}".encode()).hexdigest()[:12]


def read_config(folder: Path) -> RunConfig:
    """Read the config of a run folder.

    Raises:
        RunError: if the folder is not a run, or the file is damaged.
    """
    try:
        values = read_json(folder / CONFIG_FILE)
    except (FileNotFoundError, NotADirectoryError) as error:
        if holds_a_run(folder):
            raise damaged(folder, CONFIG_FILE, error) from error
        shown = printable(str(folder))
        raise RunError(f"{shown} is not a run: it has no {CONFIG_FILE}.") from error
    except (ValueError, RecursionError, OSError) as error:
        raise damaged(folder, CONFIG_FILE, error) from error
    try:
        kept = kept_info(folder)
    except (ValueError, RecursionError, OSError) as error:
        raise damaged(folder, DATASET_FILE, error) from error
    try:
        return RunConfig.from_dict(values, kept)
    except (ValueError, TypeError, RecursionError, ConfigError) as error:
        raise damaged(folder, CONFIG_FILE, error) from error


def holds_a_run(folder: Path) -> bool:
    """Whether a folder has any file of a run. Nothing is opened."""
    try:
        return any(map(kind_of, (folder / name for name in (*FILES, SNAPSHOTS_FOLDER))))
    except OSError:  # a folder that may not be entered
        return False


def damaged(folder: Path, file: str, error: Exception) -> RunError:
    """Make the error that the user sees when a file of a run cannot be used."""
    if isinstance(error, FileNotFoundError):
        reason = f"it has no {file}"
    elif isinstance(error, NotAPlainFile):
        reason = str(error)
    elif isinstance(error, OSError):
        reason = f"{file}: {error.strerror or error}"
    else:
        reason = f"{file}: {error}"
    reason = printable(reason, _LONGEST_REASON)
    return RunError(as_sentence(f"The run {printable(folder.name, 100)} is damaged: {reason}"))


if sys.platform == "win32":

    def _is_locked(path: Path) -> bool:
        try:
            if kind_of(path) != "a file":
                return False
            # wait a little: another check at the same moment holds the lock for an instant
            with FileLock(path).acquire(timeout=0.2, poll_interval=0.01):
                return False
        except Timeout:
            return True

else:
    import fcntl

    def _is_locked(path: Path) -> bool:
        """Try a shared lock, which several checks can hold at once; the process's is exclusive."""
        with open_plain(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

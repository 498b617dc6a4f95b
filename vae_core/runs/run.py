"""A run is a folder: it can be copied, zipped and mailed.

The configuration is written once. The status is replaced in one step. The metrics grow by one line
per epoch. The weights are those of the kept epoch; those of the last step lie beside them when the
run has ended. The checkpoint continues training. The evaluation and the held-out scores are the
final figures.

The process of a run holds a lock on the folder. The operating system releases the lock when the
process ends, in whatever way, so the lock tells whether the process is alive.
"""

import dataclasses
import hashlib
import json
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from vae_core.basics.errors import UserError
from vae_core.basics.files import replace_file
from vae_core.basics.paths import run_folder
from vae_core.basics.strict_json import nan_for_null
from vae_core.runs.metrics import Reader, kept_epoch_of, line_of
from vae_core.settings.config import RunConfig
from vae_core.settings.fields import ConfigError

State = Literal["queued", "running", "paused", "stopped", "failed", "done"]
Request = Literal["pause", "stop"]
log = logging.getLogger(__name__)

UNFINISHED: tuple[State, ...] = ("queued", "running")
LOG_FILE = "worker.log"
"""Output of the training process of a run, and the tracebacks of its failures."""

# The names of the files in a run folder
CONFIG_FILE = "config.json"
STATUS_FILE = "status.json"
METRICS_FILE = "metrics.jsonl"
WEIGHTS_FILE = "model.safetensors"
LAST_WEIGHTS_FILE = "last.safetensors"
CHECKPOINT_FILE = "resume.pt"
EVALUATION_FILE = "evaluation.json"
HELD_OUT_FILE = "held_out.safetensors"
CALIBRATION_FILE = "calibration.safetensors"
DETECTION_FILE = "detection.json"
LATENTS_FILE = "latents.npz"
SNAPSHOTS_FOLDER = "snapshots"
CONTROL_FILE = "control"
LOCK_FILE = ".lock"


class RunError(UserError, RuntimeError):
    """A run cannot be read or used; the message says why."""


@dataclass(frozen=True)
class Status:
    """The status of a run. Times are seconds since 1970; ``terms`` are in nats per image."""

    state: State
    phase: str = ""
    created: float = 0.0
    queued: float = 0.0
    heartbeat: float = 0.0
    pid: int | None = None
    device: str = ""
    epoch: int = 0  # the current epoch, from 1
    step: int = 0
    steps: int = 0
    seconds: float = 0.0  # spent training, over all processes
    terms: dict[str, float] = field(default_factory=dict)  # means over the current epoch so far
    best_epoch: int = 0  # the kept epoch; 0 is the untrained model, or none yet
    deaths: int = 0  # processes lost since the last checkpoint
    error: str = ""

    def share_done(self, epochs: int) -> float:
        """Share of the training that is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        within = self.step / self.steps if self.steps else 0.0
        return min(1.0, max(0.0, (self.epoch - 1 + within) / epochs)) if self.epoch else 0.0

    def seconds_left(self, epochs: int) -> float | None:
        """Training time left at the speed so far, in seconds; None before the speed is known."""
        share = self.share_done(epochs)
        return self.seconds * (1 - share) / share if share > 0 and self.seconds > 0 else None


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
        """Name of the run in lists."""
        return self.config.name

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Open the run in a folder.

        Args:
            folder: the folder, ``pretrained/NAME``, or the id of a run in the run store.

        Raises:
            RunError: if the folder is not a run or its files are damaged.
        """
        folder = run_folder(folder)
        try:
            config = RunConfig.from_dict(json.loads((folder / CONFIG_FILE).read_text("utf-8")))
        except FileNotFoundError as error:
            raise RunError(f"{folder} is not a run: it has no {CONFIG_FILE}.") from error
        except (ValueError, TypeError, ConfigError, OSError) as error:
            raise RunError(f"The run {folder.name} is damaged: {CONFIG_FILE}: {error}") from error
        run = cls(folder, config)
        run.status()
        return run

    def status(self) -> Status:
        """Read the status from disk.

        Raises:
            RunError: if the file is missing or damaged.
        """
        try:
            return Status(**json.loads((self.folder / STATUS_FILE).read_text("utf-8")))
        except (ValueError, TypeError, OSError) as error:
            raise RunError(f"The run {self.id} is damaged: {STATUS_FILE}: {error}") from error

    def update(self, **changes: Any) -> Status:
        """Replace some fields of the status and renew the heartbeat."""
        status = dataclasses.replace(self.status(), **{"heartbeat": time.time(), **changes})
        replace_file(self.folder / STATUS_FILE, json.dumps(dataclasses.asdict(status)))
        return status

    def lock(self) -> FileLock:
        """Return the lock that the run's process holds as long as it lives."""
        return FileLock(self.folder / LOCK_FILE)

    def is_alive(self) -> bool:
        """Whether a process is working on the run right now."""
        if not self.folder.is_dir():
            return False  # locking would bring the folder back
        return _is_locked(self.folder / LOCK_FILE)

    # ---- what the user asks of a run

    def request(self, action: Request) -> None:
        """Ask a queued or running run to pause or stop, which takes at most one step."""
        if self.is_alive():
            replace_file(self.folder / CONTROL_FILE, action)
        elif self.status().state in UNFINISHED:
            self.update(state="paused" if action == "pause" else "stopped", phase="")

    def requested(self) -> str:
        """Return the open request of the user: ``pause``, ``stop`` or an empty string."""
        try:
            return (self.folder / CONTROL_FILE).read_text("utf-8")
        except FileNotFoundError:
            return ""

    def clear_request(self) -> None:
        """Remove the request of the user, which was carried out or no longer applies."""
        (self.folder / CONTROL_FILE).unlink(missing_ok=True)

    def enqueue(self) -> None:
        """Queue a paused, stopped or failed run again. It continues from its checkpoint.

        Raises:
            RunError: if a process works on the run, or the run is done.
        """
        if self.is_alive() or self.status().state == "done":
            raise RunError(f"{self.name} is {self.status().state}; there is nothing to resume.")
        self.clear_request()
        self.update(state="queued", phase="", queued=time.time(), error="", deaths=0)

    # ---- what a run has recorded

    def metrics(self) -> list[dict[str, Any]]:
        """Read the metrics, one row per epoch from epoch 1; skip a half-written last line.

        Raises:
            RunError: if lines are damaged.
        """
        found = Reader(self.folder / METRICS_FILE).read()
        if found.unreadable:
            lines = f"{found.unreadable} of its lines cannot be read."
            raise RunError(f"The run {self.id} is damaged: {METRICS_FILE}: {lines}")
        return list(found.rows)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Append the row of an epoch."""
        with (self.folder / METRICS_FILE).open("a", encoding="utf-8") as file:
            file.write(line_of(row))

    def cut_metrics(self, epochs: int) -> None:
        """Keep the rows of the first ``epochs`` epochs, which are part of the checkpoint.

        Lines that cannot be read are left out, with a warning in the log.
        """
        found = Reader(self.folder / METRICS_FILE).read()
        if found.unreadable:
            lost = "1 line was" if found.unreadable == 1 else f"{found.unreadable} lines were"
            log.warning("%s left out of %s because of damage.", lost, METRICS_FILE)
        rows = [row for row in found.rows if row["epoch"] <= epochs]
        replace_file(self.folder / METRICS_FILE, "".join(map(line_of, rows)))

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
            found = json.loads((self.folder / EVALUATION_FILE).read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (ValueError, OSError) as error:
            raise RunError(f"The run {self.id} is damaged: {EVALUATION_FILE}: {error}") from error
        if not isinstance(found, dict):
            raise RunError(f"The run {self.id} is damaged: {EVALUATION_FILE}: it has no figures.")
        return nan_for_null(found)

    def checkpoint_digest(self) -> str:
        """Identifier of the weights now in ``model.safetensors``; empty if the file is missing."""
        try:
            about = (self.folder / WEIGHTS_FILE).stat()
        except FileNotFoundError:
            return ""
        return hashlib.sha256(f"{about.st_mtime_ns}-{about.st_size}".encode()).hexdigest()[:12]


if sys.platform == "win32":

    def _is_locked(path: Path) -> bool:
        try:
            # wait a little: another check at the same moment holds the lock for an instant
            with FileLock(path).acquire(timeout=0.2, poll_interval=0.01):
                return False
        except Timeout:
            return True

else:
    import fcntl

    def _is_locked(path: Path) -> bool:
        """Try a shared lock, which several checks can hold at once; the process's is exclusive."""
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

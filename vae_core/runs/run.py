"""The run store. A run is a folder: it can be copied, zipped and mailed.

The configuration is written once. The status is replaced in one step. The metrics grow by one line
an epoch. The weights are the best so far; the checkpoint continues training. The evaluation and the
held-out scores are the final figures.

Whether a run's process is alive is told by the lock it holds on the folder, which the operating
system drops however the process ends.
"""

import dataclasses
import hashlib
import json
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
from vae_core.runs.metrics import Reader
from vae_core.settings.config import RunConfig
from vae_core.settings.fields import ConfigError

State = Literal["queued", "running", "paused", "stopped", "failed", "done"]
Request = Literal["pause", "stop"]
UNFINISHED: tuple[State, ...] = ("queued", "running")
LOG_FILE = "worker.log"
"""What the training process of a run printed, and the tracebacks of its failures."""

# The names of the files in a run folder
CONFIG_FILE = "config.json"
STATUS_FILE = "status.json"
METRICS_FILE = "metrics.jsonl"
WEIGHTS_FILE = "model.safetensors"
CHECKPOINT_FILE = "resume.pt"
EVALUATION_FILE = "evaluation.json"
HELD_OUT_FILE = "held_out.safetensors"
CALIBRATION_FILE = "calibration.safetensors"
DETECTION_FILE = "detection.json"
LATENTS_FILE = "latents.npz"
SNAPSHOTS_FOLDER = "snapshots"
LOG_FILE = "worker.log"
CONTROL_FILE = "control"
LOCK_FILE = ".lock"


class RunError(UserError, RuntimeError):
    """A run that cannot be read or used, with the reason in a sentence."""


@dataclass(frozen=True)
class Status:
    """What a run is doing. Times are seconds since 1970; ``terms`` are in nats per image."""

    state: State
    phase: str = ""
    created: float = 0.0
    queued: float = 0.0
    heartbeat: float = 0.0
    pid: int | None = None
    device: str = ""
    epoch: int = 0  # the epoch under way, from 1
    step: int = 0
    steps: int = 0
    seconds: float = 0.0  # spent training, over all processes
    terms: dict[str, float] = field(default_factory=dict)  # of the epoch under way, so far
    best_epoch: int = 0
    deaths: int = 0  # processes lost since the last checkpoint
    error: str = ""

    def share_done(self, epochs: int) -> float:
        """How much of the training is done, 0 to 1."""
        if self.state == "done":
            return 1.0
        within = self.step / self.steps if self.steps else 0.0
        return min(1.0, max(0.0, (self.epoch - 1 + within) / epochs)) if self.epoch else 0.0

    def seconds_left(self, epochs: int) -> float | None:
        """Training time still to go at the speed so far; None before that is known."""
        share = self.share_done(epochs)
        return self.seconds * (1 - share) / share if share > 0 and self.seconds > 0 else None


@dataclass(frozen=True)
class Run:
    """A run folder that can be read."""

    folder: Path
    config: RunConfig

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def name(self) -> str:
        """What lists call it."""
        return self.config.name

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Open the run in a folder.

        Args:
            folder: the folder, ``pretrained/NAME``, or the id of a run in the run store.

        Raises:
            RunError: if it is not a run folder or its files are damaged.
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
        """The status, as last written.

        Raises:
            RunError: if the file is missing or damaged.
        """
        try:
            return Status(**json.loads((self.folder / STATUS_FILE).read_text("utf-8")))
        except (ValueError, TypeError, OSError) as error:
            raise RunError(f"The run {self.id} is damaged: {STATUS_FILE}: {error}") from error

    def update(self, **changes: Any) -> Status:
        """Replace some fields of the status, and the heartbeat."""
        status = dataclasses.replace(self.status(), **{"heartbeat": time.time(), **changes})
        replace_file(self.folder / STATUS_FILE, json.dumps(dataclasses.asdict(status)))
        return status

    def lock(self) -> FileLock:
        """The lock that the run's process holds as long as it lives."""
        return FileLock(self.folder / LOCK_FILE)

    def is_alive(self) -> bool:
        """Whether a process is working on the run right now."""
        if not self.folder.is_dir():
            return False  # locking would bring the folder back
        return _is_locked(self.folder / LOCK_FILE)

    # ---- what the user asks of a run

    def request(self, action: Request) -> None:
        """Ask a queued or running run to pause or stop; it does so within one step."""
        if self.is_alive():
            replace_file(self.folder / CONTROL_FILE, action)
        elif self.status().state in UNFINISHED:
            self.update(state="paused" if action == "pause" else "stopped", phase="")

    def requested(self) -> str:
        """What was asked and not yet done: ``pause``, ``stop`` or nothing."""
        try:
            return (self.folder / CONTROL_FILE).read_text("utf-8")
        except FileNotFoundError:
            return ""

    def clear_request(self) -> None:
        """The request was carried out, or is void."""
        (self.folder / CONTROL_FILE).unlink(missing_ok=True)

    def enqueue(self) -> None:
        """Queue a paused, stopped or failed run again; it goes on from its checkpoint.

        Raises:
            RunError: if it is being worked on, or done.
        """
        if self.is_alive() or self.status().state == "done":
            raise RunError(f"{self.name} is {self.status().state}; there is nothing to resume.")
        self.clear_request()
        self.update(state="queued", phase="", queued=time.time(), error="", deaths=0)

    # ---- what a run has recorded

    def metrics(self) -> list[dict[str, Any]]:
        """One row an epoch, from 1; a half-written last line is left out.

        Raises:
            RunError: if lines are damaged.
        """
        found = Reader(self.folder / METRICS_FILE).read()
        if found.unreadable:
            lines = f"{found.unreadable} of its lines cannot be read."
            raise RunError(f"The run {self.id} is damaged: {METRICS_FILE}: {lines}")
        return list(found.rows)

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add an epoch's row."""
        with (self.folder / METRICS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def cut_metrics(self, epochs: int) -> None:
        """Keep the rows of the first ``epochs`` epochs: those that the checkpoint has seen."""
        rows = [row for row in self.metrics() if row["epoch"] <= epochs]
        replace_file(self.folder / METRICS_FILE, "".join(json.dumps(r) + "\n" for r in rows))

    def evaluation(self) -> dict[str, Any] | None:
        """The final figures with their protocol, once there are any.

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
            raise RunError(f"The run {self.id} is damaged: {EVALUATION_FILE}: it holds no figures.")
        return found

    def checkpoint_digest(self) -> str:
        """Names the weights now in ``model.safetensors``; empty before there are any."""
        try:
            about = (self.folder / WEIGHTS_FILE).stat()
        except FileNotFoundError:
            return ""
        return hashlib.sha256(f"{about.st_mtime_ns}-{about.st_size}".encode()).hexdigest()[:12]


if sys.platform == "win32":

    def _is_locked(path: Path) -> bool:
        try:
            # not at once: another look at the same moment would be taken for the process
            with FileLock(path).acquire(timeout=0.2, poll_interval=0.01):
                return False
        except Timeout:
            return True

else:
    import fcntl

    def _is_locked(path: Path) -> bool:
        """Looks with a shared lock, which any number may hold at once, unlike the process's own."""
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

"""The store of runs: a folder of run folders, and the pretrained models."""

import dataclasses
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vae_core.basics.errors import UserError
from vae_core.basics.files import replace_file
from vae_core.basics.paths import pretrained_folder, runs_folder
from vae_core.runs.run import (
    CONFIG_FILE,
    SNAPSHOTS_FOLDER,
    STATUS_FILE,
    UNFINISHED,
    Run,
    RunError,
    State,
    Status,
)
from vae_core.settings.config import RunConfig

PRETRAINED = "pretrained/"  # beginning of the keys of pretrained models


class RunExists(UserError, FileExistsError):
    """The folder for a new run is already in use."""


@dataclass(frozen=True)
class DamagedRun:
    """A folder in the store that cannot be read as a run."""

    folder: Path
    reason: str


class RunStore:
    """The folder that holds the runs."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or runs_folder()

    def create(self, config: RunConfig, state: State = "queued") -> Run:
        """Create a run in a new folder. Two calls at the same time get two folders."""
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            stamp = time.strftime("%Y%m%d-%H%M%S")
            slug = re.sub(r"[^a-z0-9]+", "-", config.name.lower()).strip("-")[:40]
            folder = self.folder / f"{stamp}-{slug}-{secrets.token_hex(2)}"
            try:
                return create_run(folder, config, state)
            except FileExistsError:
                continue

    def get(self, run_id: str) -> Run:
        """Open the run with this id.

        Raises:
            RunError: if the run does not exist or is damaged.
        """
        return Run.open(self._folder_of(run_id))

    def _folder_of(self, run_id: str) -> Path:
        if not re.fullmatch(r"[\w.\-]+", run_id) or run_id.startswith("."):
            raise RunError(f"{run_id!r} is not the name of a run.")
        return self.folder / run_id

    def remove(self, run_id: str) -> Path:
        """Remove a run from the lists: move its folder into ``.removed``. Nothing is deleted.

        Returns:
            The new path of the folder.

        Raises:
            RunError: if the run does not exist, is queued, or a process works on it.
        """
        folder = self._folder_of(run_id)
        if not folder.is_dir():
            raise RunError(f"There is no run {run_id}.")
        try:
            run = Run.open(folder)
        except RunError:
            run = None  # a damaged run can be removed too
        if run and (run.status().state in UNFINISHED or run.is_alive()):
            raise RunError(f"{run.name} is {run.status().state}; stop it first.")
        target = self.folder / ".removed" / f"{run_id}-{secrets.token_hex(2)}"
        target.parent.mkdir(exist_ok=True)
        return folder.rename(target)

    def entries(self) -> Iterator[Run | DamagedRun]:
        """List everything in the store, newest first, damaged folders included."""
        if not self.folder.is_dir():
            return
        for folder in sorted((f for f in self.folder.iterdir() if f.is_dir()), reverse=True):
            if folder.name.startswith("."):
                continue
            try:
                yield Run.open(folder)
            except RunError as error:
                yield DamagedRun(folder, str(error))

    def runs(self) -> list[Run]:
        """List the readable runs, newest first."""
        return [entry for entry in self.entries() if isinstance(entry, Run)]


def create_run(folder: Path, config: RunConfig, state: State = "queued") -> Run:
    """Create a run in a folder of its own. The status is written last, to mark a complete run.

    Raises:
        RunExists: if the folder exists and is not empty, or is a file. It is a FileExistsError too.
    """
    if folder.exists() and not folder.is_dir():
        raise RunExists(f"{folder} is a file; a run needs a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise RunExists(f"{folder} exists already and is not empty.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SNAPSHOTS_FOLDER).mkdir(exist_ok=False)
    now = time.time()
    replace_file(folder / CONFIG_FILE, json.dumps(config.to_dict(), indent=2) + "\n")
    status = Status(state=state, created=now, queued=now, heartbeat=now)
    replace_file(folder / STATUS_FILE, json.dumps(dataclasses.asdict(status)))
    return Run(folder, config)


def find_run(key: str) -> Run:
    """Open the run with this key: ``pretrained/NAME``, or the id of a run in the store.

    Raises:
        RunError: if the run does not exist.
    """
    name = key.removeprefix(PRETRAINED)
    return RunStore(pretrained_folder() if name != key else None).get(name)


def pretrained_runs() -> list[Run]:
    """List the pretrained models, which are finished runs."""
    return sorted(RunStore(pretrained_folder()).runs(), key=lambda run: run.id)

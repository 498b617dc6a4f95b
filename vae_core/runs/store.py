"""The store of runs: a folder of run folders, and the pretrained models."""

import contextlib
import dataclasses
import json
import os
import re
import secrets
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from vae_core.basics.errors import UserError, sentence_of
from vae_core.basics.files import replace_plain
from vae_core.basics.paths import pretrained_folder, runs_folder
from vae_core.basics.plain_files import NotAPlainFile, kind_of
from vae_core.basics.text import printable
from vae_core.data.kept import DATASET_FILE
from vae_core.runs.listing import Listed, Listing
from vae_core.runs.own_data import kept_record
from vae_core.runs.queue import Queue
from vae_core.runs.run import (
    CONFIG_FILE,
    SNAPSHOTS_FOLDER,
    START_WEIGHTS_FILE,
    STATUS_FILE,
    UNFINISHED,
    Run,
    RunError,
    State,
    Status,
    damaged,
    holds_a_run,
    read_config,
)
from vae_core.settings.config import RunConfig

PRETRAINED = "pretrained/"  # beginning of the keys of pretrained models


class RunExists(UserError, FileExistsError):
    """The folder for a new run is already in use."""


class RunNotCreated(UserError, OSError):
    """The folder of a new run cannot be written; nothing of it is left."""


@dataclass(frozen=True)
class DamagedRun:
    """A folder in the store that cannot be read as a run.

    Attributes:
        reason: why, as a sentence.
    """

    folder: Path
    reason: str

    @property
    def id(self) -> str:
        """Name of the folder, in characters that can be shown; it names the run in commands."""
        return printable(self.folder.name)


class RunStore:
    """The folder that holds the runs."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or runs_folder()
        self.queue = Queue(self.folder)
        self._listing = Listing(self.folder, self._open)

    def create(self, config: RunConfig, state: State = "queued", start: bytes | None = None) -> Run:
        """Create a run in a new folder, which this store may start when it is queued.

        Two calls at the same time get two folders.

        Args:
            start: as for :func:`create_run`.

        Raises:
            RunNotCreated: if the store cannot be written, such as on a full or read-only disk.
            RunError, ConfigError: if it cannot start from the weights that its config names.
        """
        start = start or _start_weights(config)
        while True:
            with contextlib.suppress(FileExistsError):
                return self.create_as(new_id(config.name), config, state, start)

    def create_as(
        self, run_id: str, config: RunConfig, state: State = "queued", start: bytes | None = None
    ) -> Run:
        """Create a run as :meth:`create` does, in a folder with this name.

        Raises:
            RunExists: if the folder exists and is not empty.
            FileExistsError: if another process creates the same run now.
            RunNotCreated: as for :meth:`create`.
        """
        folder = self.folder / run_id
        with _sentence_of_refusal():
            self.folder.mkdir(parents=True, exist_ok=True)
        run = create_run(folder, config, state, start)
        with _sentence_of_refusal(), _undone_after_error(folder):
            self.queue.add(run.id)
        return run

    def waits_for_consent(self, run: Run, status: Status) -> bool:
        """Whether an unfinished run was copied into the store, so that it does not start by itself.

        ``run.enqueue()`` queues it.
        """
        return status.state in UNFINISHED and run.id not in self.queue.ids() and not run.is_alive()

    def get(self, run_id: str) -> Run:
        """Open the run with this id.

        Raises:
            RunError: if the run does not exist or is damaged.
        """
        return self._open(self._folder_of(run_id))

    def _folder_of(self, run_id: str) -> Path:
        """Find the folder of an id as the lists show it.

        Raises:
            RunError: if the text is not the name of a folder.
        """
        if not run_id or run_id.startswith(".") or re.search(r"[/\\\0]", run_id):
            raise RunError(f"{printable(run_id)!r} is not the name of a run.")
        if (self.folder / run_id).is_dir() or not self.folder.is_dir():
            return self.folder / run_id
        shown_so = (name for name in self._names() if printable(name) == run_id)
        return self.folder / next(shown_so, run_id)

    def remove(self, run_id: str) -> Path:
        """Remove a run from the lists: move its folder into ``.removed``. Nothing is deleted.

        Returns:
            The new path of the folder.

        Raises:
            RunError: if the run does not exist, is queued, or a process works on it.
        """
        folder = self._folder_of(run_id)
        if not folder.is_dir():
            raise RunError(f"There is no run {printable(run_id)}.")
        try:
            run = self._open(folder)
            status = run.status()
        except RunError:
            pass  # a damaged run can be removed too
        else:
            waiting = status.state in UNFINISHED and not self.waits_for_consent(run, status)
            if waiting or run.is_alive():
                raise RunError(f"{run.name} is {status.state}; stop it first.")
        kept = re.sub(r"[^\w.\-]", "_", run_id)
        target = self.folder / ".removed" / f"{kept}-{secrets.token_hex(2)}"
        target.parent.mkdir(exist_ok=True)
        return folder.rename(target)

    def listed(self, ids: Collection[str] | None = None) -> Iterator[Listed]:
        """List the store, newest first, each run with its status, damaged folders included.

        A folder without any file of a run is passed over. Files that have not changed since the
        last list are not read again.

        Args:
            ids: list only the folders with these names.
        """
        there = self._folders()
        if ids is None:
            self._listing.forget_others(there)
        for name in sorted(there if ids is None else there & set(ids), reverse=True):
            found = self._listing.read(name)
            if found.run is not None or holds_a_run(found.folder):
                yield found

    def _folders(self) -> frozenset[str]:
        """Names of the folders that may be runs, and of links to folders."""
        try:
            with os.scandir(self.folder) as found:
                names = [each.name for each in found if each.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        return frozenset(name for name in names if not name.startswith("."))

    def entries(self) -> Iterator[Run | DamagedRun]:
        """List everything in the store as :meth:`listed` does, without the status of the runs."""
        for found in self.listed():
            yield found.run or DamagedRun(found.folder, found.reason)

    def _names(self) -> list[str]:
        return [each.name for each in self.folder.iterdir()]

    def _open(self, folder: Path) -> Run:
        """Open a folder of the store that is a plain folder with a name that can be shown.

        Raises:
            RunError: otherwise, and if the folder is not a run or the run is damaged.
        """
        name = folder.name
        if not name.isprintable() or name.startswith("-"):
            wrong = "the name of its folder has characters that cannot be used; rename the folder"
            raise damaged(folder, "", NotAPlainFile(wrong))
        if kind_of(folder) == "a symbolic link":
            wrong = "its folder is a symbolic link; move the folder itself into the run store"
            raise damaged(folder, "", NotAPlainFile(wrong))
        return Run.open(folder)

    def runs(self) -> list[Run]:
        """List the readable runs, newest first."""
        return [entry for entry in self.entries() if isinstance(entry, Run)]


def new_id(name: str) -> str:
    """Make a name for a folder or a file of the store from the time, a name and a random part."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}-{secrets.token_hex(2)}"


def create_run(
    folder: Path, config: RunConfig, state: State = "queued", start: bytes | None = None
) -> Run:
    """Create a run in a folder of its own. The status is written last, to mark a complete run.

    Args:
        start: the file of the weights that the run starts from; by default, made from the run or
            pretrained model that the config names, if any.

    Raises:
        RunError, ConfigError: if these weights cannot be read or do not fit.
        RunExists: if the folder exists and is not empty, or is a file. It is a FileExistsError too.
        RunNotCreated: if the folder cannot be written; what was written of it is removed again.
    """
    if folder.exists() and not folder.is_dir():
        raise RunExists(f"{folder} is a file; a run needs a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise RunExists(f"{folder} exists already and is not empty.")
    start = start or _start_weights(config)
    with _sentence_of_refusal():
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        with _undone_after_error(folder, is_new):
            (folder / SNAPSHOTS_FOLDER).mkdir(exist_ok=False)  # of two at once, one fails here
            now = time.time()
            if (record := kept_record(config)) is not None:
                replace_plain(folder / DATASET_FILE, record)
            if start is not None:
                replace_plain(folder / START_WEIGHTS_FILE, start)
            replace_plain(folder / CONFIG_FILE, json.dumps(config.to_dict(), indent=2) + "\n")
            status = Status(state=state, created=now, queued=now, heartbeat=now)
            replace_plain(folder / STATUS_FILE, json.dumps(dataclasses.asdict(status)))
    return Run(folder, read_config(folder) if config.info.is_own else config)


def _start_weights(config: RunConfig) -> bytes | None:
    """Make the file of the weights that a run starts from; None if it starts from random ones."""
    if not config.start_from:
        return None
    from vae_core.runs.warm_start import start_weights  # imports torch

    return start_weights(config, find_run)


@contextlib.contextmanager
def _undone_after_error(folder: Path, is_new: bool = True) -> Iterator[None]:
    """Remove what was written of a new run if the block cannot complete it.

    Args:
        is_new: whether the folder was made for the run, and is removed too.
    """
    try:
        yield
    except FileExistsError:  # the folder belongs to another run
        raise
    except BaseException:
        with contextlib.suppress(OSError):
            for name in (CONFIG_FILE, DATASET_FILE, START_WEIGHTS_FILE, STATUS_FILE):
                (folder / name).unlink(missing_ok=True)
            if (folder / SNAPSHOTS_FOLDER).exists():
                (folder / SNAPSHOTS_FOLDER).rmdir()
            if is_new:
                folder.rmdir()
        raise


@contextlib.contextmanager
def _sentence_of_refusal() -> Iterator[None]:
    """Turn what the operating system refuses into a sentence for the user.

    Raises:
        RunNotCreated: if the block raises an OSError that is not for the caller.
    """
    try:
        yield
    except (FileExistsError, UserError):
        raise
    except OSError as error:
        raise RunNotCreated(f"The run could not be created. {sentence_of(error)}") from error


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

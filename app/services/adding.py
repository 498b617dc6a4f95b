"""Images that visitors give for new data sets, and the work that makes data sets of them.

Given files lie in a temporary folder, under numbers, until the data set is made or their session
ends. The work goes on when its page is closed.
"""

import atexit
import re
import secrets
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from app.services.scheduler import scheduler
from app.services.work import Sliced, Task
from app.shell import sessions
from vae_core.basics.errors import sentence_of
from vae_core.basics.held_folders import HeldFolder, sweep_held
from vae_core.basics.progress import Step, part_of
from vae_core.data.given import GivenFiles, opened_source
from vae_core.settings.choices import Frames
from vae_core.settings.data_sets import DataError, DatasetInfo
from vae_core.settings.own_data import AddOptions

if TYPE_CHECKING:
    from vae_core.data.examination import Examined
    from vae_core.data.preview import Previewed

_LONGEST = 60  # characters of a name on disk, of which one may take four bytes
_UPLOADS = "elbo-room-uploads-"
_VISITOR = "visitor"
_WRITTEN = 0.3  # share of the examination in which the files are written


class Upload(Protocol):
    """A file that a browser sent."""

    @property
    def name(self) -> str: ...
    def getbuffer(self) -> memoryview: ...


class File(NamedTuple):
    """A given file: its name, and its content in memory."""

    name: str
    content: memoryview

    def getbuffer(self) -> memoryview:
        """Return the content, as an upload does."""
        return self.content


class Intake:
    """Files that one visitor gave for a data set.

    Attributes:
        id: unique, and impossible to guess.
        name: what the files are called together.
        size: bytes of all files.
        count: number of files.
    """

    def __init__(self, name: str, uploads: Sequence[Upload]) -> None:
        self.id = secrets.token_hex(8)
        self.name = name
        self._uploads = [File(each.name, each.getbuffer()) for each in uploads]
        self.size = sum(len(each.content) for each in self._uploads)
        self.count = len(self._uploads)
        self._folder: Path | None = None
        self._files: list[tuple[str, Path]] = []
        self._turn = threading.RLock()
        self._users = {_VISITOR}
        self._ended = False
        _remember(self)

    def write_steps(self) -> Iterator[float]:
        """Write the files to the temporary folder, unless they are there; yield the share done.

        Raises:
            DataError: if the disk cannot be written, or the files have been forgotten.
        """
        while True:
            with self._turn:
                if self._ended:
                    raise DataError("These files have been removed; give them again.")
                if len(self._files) == self.count:
                    return
                try:
                    self._write(self._uploads[len(self._files)])
                except OSError as error:
                    raise _not_written(error) from error
            yield len(self._files) / self.count

    def _write(self, file: File) -> None:
        number = len(self._files)
        path = self._in_folder("files", str(number)) / name_on_disk(file.name)
        path.write_bytes(file.content)
        self._files.append((file.name, path))

    def given(self) -> GivenFiles:
        """Return the files, which are in the temporary folder."""
        return GivenFiles(self.name, tuple(self._files))

    def scratch(self, purpose: str) -> Path:
        """Make an empty folder for what has to be unpacked."""
        path = self._in_folder("scratch", purpose)
        shutil.rmtree(path)
        path.mkdir()
        return path

    def _in_folder(self, *parts: str) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(dir=_temporary()))
        path = self._folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def hold(self, user: str) -> None:
        """Keep the files for somebody besides the visitor."""
        with self._turn:
            self._users.add(user)

    def let_go(self, user: str = _VISITOR) -> None:
        """Remove the files from memory and disk, once nobody uses them."""
        with self._turn:
            self._users.discard(user)
            if self._users or self._ended:
                return
            self._ended = True
            self._uploads = []
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)


def name_on_disk(name: str) -> str:
    """Make a safe name of a file of the name that a browser sent; the ending is kept."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    safe = re.sub(r"[^\w.-]+", "-", base)[-_LONGEST:].lstrip("-")
    return safe if safe[:1] not in ("", ".") else f"file{safe}".rstrip(".")


@cache
def _temporary() -> Path:
    """The folder of all given files of this server, which is removed when the server ends."""
    sweep()
    folder = HeldFolder(Path(tempfile.gettempdir()), _UPLOADS)
    atexit.register(folder.close)
    return folder.path


@cache
def sweep() -> None:
    """Remove, once, what servers left over that were killed: uploads, and half-made data sets."""
    from vae_core.data.own import sweep_staging

    sweep_held(Path(tempfile.gettempdir()), _UPLOADS)
    sweep_staging()


_of_sessions: dict[str, list[Intake]] = {}


def _remember(intake: Intake) -> None:
    if (session := sessions.current()) is not None:
        _of_sessions.setdefault(session, []).append(intake)


_handed_over: dict[str, Intake] = {}


def hand_over(name: str, files: Sequence[File]) -> None:
    """Give files of another page to the page Data, which takes them when it is opened next."""
    if (unclaimed := take_handed_over()) is not None:
        unclaimed.let_go()
    _handed_over[sessions.visitor() or ""] = Intake(name, files)


def take_handed_over() -> Intake | None:
    """Return the files that another page gave, once."""
    return _handed_over.pop(sessions.visitor() or "", None)


def _forget(ended: set[str]) -> None:
    for session in ended:
        _handed_over.pop(session, None)
        for intake in _of_sessions.pop(session, []):
            intake.let_go()


sessions.at_end(_forget)


def _not_written(error: OSError) -> DataError:
    return DataError(f"The images could not be kept. {sentence_of(error)}")


# ---- looking


class Reading(NamedTuple):
    """The choices that decide how files are read: see :class:`.AddOptions`."""

    range: str = "auto"
    frames: Frames = "first"


def examination(intake: Intake, reading: Reading) -> "Task[Step[Examined]]":
    """The task that looks at all given files."""

    def start() -> "Iterator[Step[Examined]]":
        from vae_core.data.examination import examine_steps

        for share in intake.write_steps():
            yield Step(_WRITTEN * share)
        source = opened_source(intake.given(), intake.scratch("-".join(reading)), *reading)
        yield from part_of(examine_steps(source), _WRITTEN, 1.0)

    key = ("examined", intake.id, reading)
    return Task(key, "Looking at your images", start, lambda state: state.share)


def preview(
    intake: Intake, found: "Examined", options: AddOptions
) -> "Task[Step[list[Previewed]]]":
    """The task that prepares some of the images."""

    def start() -> "Iterator[Step[list[Previewed]]]":
        from vae_core.data.examination import plan_of
        from vae_core.data.preview import preview_steps

        return preview_steps(found, plan_of(found, options))

    return Task(
        ("preview", intake.id, options), "Preparing a preview", start, lambda state: state.share
    )


# ---- adding


class Adding(Sliced):
    """Makes a data set of given files. Once it is stopped, nothing of it is left.

    Attributes:
        name: of the data set.
        made: the data set; None before the end.
        owner: the session that began it, which alone may stop it.
    """

    def __init__(self, name: str, intake: Intake, options: AddOptions) -> None:
        self.name = name
        self.made: DatasetInfo | None = None
        self.owner = sessions.current()
        self._intake, self._options = intake, options
        self._share = 0.0
        super().__init__(self._steps)

    @property
    def share(self) -> float:
        return self._share

    def _steps(self) -> Iterator[None]:
        from vae_core.data.own import add_dataset_steps

        user = f"adding {id(self)}"
        self._intake.hold(user)
        try:
            with closing(
                add_dataset_steps(self.name, self._intake.given(), self._options)
            ) as steps:
                for step in steps:
                    self._share = step.share
                    if step.result is not None:
                        self.made, self.done = step.result.info, True
                    yield
        except OSError as error:
            raise _not_written(error) from error
        finally:
            self._intake.let_go(user)

    @property
    def is_mine(self) -> bool:
        """Whether the session of this thread began it."""
        return self.owner == sessions.current()

    def stop(self) -> None:
        """Stop for good, and remove what has been made so far."""
        self.stopped = True
        threading.Thread(target=self._remove, name="stopping", daemon=True).start()

    def _remove(self) -> None:
        with self.turn:  # after the step that is under way
            self._work.close()  # type: ignore[attr-defined]


def start(name: str, intake: Intake, options: AddOptions) -> Adding:
    """Begin to make a data set, which goes on whether or not a page shows it.

    Raises:
        DataError: if the name cannot be used.
    """
    from vae_core.data.own import check_free

    check_free(name)
    for each in under_way():
        if each.name.casefold() == name.casefold():
            raise DataError(f"{name!r} is being added just now; choose another name.")
    job = Adding(name, intake, options)
    _jobs[:] = [each for each in _jobs if each.working]
    _jobs.append(job)
    scheduler().keep(("adding", id(job)), job)
    return job


_jobs: list[Adding] = []


def under_way() -> list[Adding]:
    """Return the data sets that are being made, of all visitors."""
    return [each for each in _jobs if each.working]

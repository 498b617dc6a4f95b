"""Sweeps: runs that belong together, one for each combination of some settings.

A sweep is a small file in the folder ``.sweeps`` of the run store. It names its runs before they
are created, so that a sweep whose creation was interrupted can be completed, and no run is made
twice. The file may come from somebody else: everything in it is checked when it is read, and a run
with other settings than the file says takes no part.
"""

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock

from vae_core.basics.errors import sentence_of
from vae_core.basics.files import replace_plain
from vae_core.basics.plain_files import check_folder, check_plain, names_in, read_json
from vae_core.basics.text import as_sentence, printable
from vae_core.runs.run import STATUS_FILE, UNFINISHED, Run, RunError, State, Status
from vae_core.runs.store import RunNotCreated, RunStore, new_id
from vae_core.runs.sweep_file import (
    ID,
    LONGEST,
    Planned,
    Sweep,
    content_of,
    key_of,
    sweep_of,
)
from vae_core.settings.config import explain
from vae_core.settings.grid import Grid, Point

__all__ = ["DamagedSweep", "Member", "Planned", "Progress", "Sweep", "SweepStore", "made_title"]

SWEEPS_FOLDER = ".sweeps"
_LOCK_FILE = ".lock"
_PATIENCE = 30.0  # seconds; the folder is locked while a sweep is made or changed
_MOST_SWEEPS = 10_000
_RESUMABLE = ("paused", "stopped", "failed")


@dataclass(frozen=True)
class DamagedSweep:
    """A file in the folder of sweeps that cannot be read, with the reason as a sentence."""

    id: str
    reason: str


@dataclass(frozen=True)
class Member:
    """A run of a sweep as it is now.

    Attributes:
        run, status: None if the run does not exist or cannot be used.
        problem: why it cannot be used, as a sentence; else empty.
    """

    planned: Planned
    run: Run | None = None
    status: Status | None = None
    problem: str = ""

    @property
    def state(self) -> str:
        """State of the run, ``missing`` or ``damaged``."""
        if self.status is not None:
            return self.status.state
        return "damaged" if self.problem else "missing"


@dataclass(frozen=True)
class Progress:
    """How far a sweep has come."""

    members: tuple[Member, ...]

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Number of runs by state."""
        states = [member.state for member in self.members]
        return {state: states.count(state) for state in dict.fromkeys(states)}

    @property
    def share(self) -> float:
        """Share of the training that is done, 0 to 1."""
        shares = [
            each.status.share_done(each.run.config.train.epochs)
            for each in self.members
            if each.run and each.status
        ]
        return sum(shares) / max(1, len(self.members))

    @property
    def unfinished(self) -> bool:
        """Whether a run is queued or running."""
        return any(state in self.counts for state in UNFINISHED)

    @property
    def can_go_on(self) -> bool:
        """Whether runs are paused, stopped, failed or missing."""
        return any(state in self.counts for state in (*_RESUMABLE, "missing"))


class SweepStore:
    """The sweeps of a run store."""

    def __init__(self, store: RunStore | None = None) -> None:
        self.store = store or RunStore()
        self.folder = self.store.folder / SWEEPS_FOLDER

    # ---- read

    def ids(self) -> list[str]:
        """List the sweeps, newest first."""
        names = (name for name in names_in(self.folder, _MOST_SWEEPS) if name.endswith(".json"))
        found = (name.removesuffix(".json") for name in names)
        return sorted((each for each in found if ID.fullmatch(each)), reverse=True)

    def entries(self) -> Iterator[Sweep | DamagedSweep]:
        """Read every sweep, newest first; a file that cannot be read costs only itself."""
        for sweep_id in self.ids():
            try:
                yield self.get(sweep_id)
            except RunError as error:
                yield DamagedSweep(sweep_id, str(error))

    def path(self, sweep_id: str) -> Path:
        """Path of the file of a sweep."""
        return self.folder / f"{sweep_id}.json"

    def get(self, sweep_id: str) -> Sweep:
        """Read a sweep.

        Raises:
            RunError: if it does not exist, or its file is damaged.
        """
        if not ID.fullmatch(sweep_id):
            raise RunError(f"{printable(sweep_id, 100)!r} is not the name of a sweep.")
        try:
            check_folder(self.folder)
            return sweep_of(sweep_id, read_json(self.path(sweep_id)))
        except FileNotFoundError as error:
            raise RunError(f"There is no sweep called {sweep_id}.") from error
        except (LookupError, TypeError, ValueError, RecursionError, OSError) as error:
            reason = printable(sentence_of(error) or str(error), 300)
            raise RunError(as_sentence(f"The sweep {sweep_id} is damaged: {reason}")) from error

    def find(self, grid: Grid) -> Sweep | None:
        """Find the newest sweep with exactly the runs of a grid."""
        wanted = {point.key for point in grid.points}
        for each in self.entries():
            with contextlib.suppress(ValueError):  # its data set is gone
                if isinstance(each, Sweep) and {p.key for p in each.grid.points} == wanted:
                    return each
        return None

    def progress(self, sweep: Sweep) -> Progress:
        """Look up the runs of a sweep."""
        listed = {e.folder.name: e for e in self.store.listed([p.id for p in sweep.planned])}
        members = []
        for planned in sweep.planned:
            found = listed.get(planned.id)
            if found is None:
                members.append(Member(planned))
            elif found.run is None or found.status is None:
                members.append(Member(planned, problem=found.reason))
            elif other := _other_settings(found.run, planned):
                members.append(Member(planned, problem=other))
            else:
                members.append(Member(planned, found.run, found.status))
        return Progress(tuple(members))

    # ---- make and change

    def create(self, grid: Grid, title: str = "", state: State = "queued") -> Sweep:
        """Make a sweep and all its runs.

        Raises:
            ConfigError: if a combination cannot be trained.
            RunNotCreated: if the store cannot be written. Runs that were made stay, and
                :meth:`complete` makes the others.
        """
        title = printable(title.strip()[:LONGEST]) or made_title(grid)
        planned = tuple(Planned(_id_of(point), point.values) for point in grid.points)
        sweep = Sweep(new_id(title), title, time.time(), grid, planned)
        with self._locked():
            self._write(sweep)
        self.complete(sweep, state)
        return sweep

    def complete(self, sweep: Sweep, state: State = "queued") -> None:
        """Create the runs of a sweep that do not exist, such as after a crash or a full disk.

        Raises:
            ConfigError: if its data set does not exist any more.
            RunNotCreated: as for :meth:`create`.
        """
        points = {key_of(point.values): point for point in sweep.grid.points}
        with self._locked():
            for member in self.progress(sweep).members:
                planned = member.planned
                half_made = not (self.store.folder / planned.id / STATUS_FILE).exists()
                point = points.get(key_of(planned.values))
                if point is None or member.run is not None or not half_made:
                    continue
                if member.problem:
                    self.store.remove(planned.id)
                with contextlib.suppress(FileExistsError):
                    self.store.create_as(planned.id, point.config, state)

    def extend(
        self, sweep: Sweep, values: Mapping[str, Sequence[Any]], state: State = "queued"
    ) -> Sweep:
        """Add values of settings. Runs that exist already are kept.

        Raises:
            ConfigError: if a value cannot be used or a combination cannot be trained.
            RunNotCreated: as for :meth:`create`.
        """
        with self._locked():
            sweep = self.get(sweep.id)  # as it is now
            ids = {key_of(each.values): each.id for each in sweep.planned}
            kept = {
                p.key: ids[key_of(p.values)] for p in sweep.grid.points if key_of(p.values) in ids
            }
            grid = sweep.grid.with_more(values)
            planned = [Planned(kept.get(p.key) or _id_of(p), p.values) for p in grid.points]
            sweep = replace(sweep, grid=grid, planned=tuple(planned))
            self._write(sweep)
        self.complete(sweep, state)
        return sweep

    def pause(self, sweep: Sweep) -> None:
        """Ask all queued and running runs to pause; the last ones first, so that none starts."""
        for member in reversed(self.progress(sweep).members):
            if member.run and member.state in UNFINISHED:
                member.run.request("pause")

    def stop(self, sweep: Sweep) -> None:
        """Ask all runs that are not finished to stop; the last ones first."""
        for member in reversed(self.progress(sweep).members):
            if member.run and member.state in (*UNFINISHED, "paused"):
                if member.state == "paused":
                    member.run.update(state="stopped")
                else:
                    member.run.request("stop")

    def resume(self, sweep: Sweep) -> None:
        """Queue all runs that are paused, stopped or failed, and create those that are missing.

        Raises:
            RunNotCreated: as for :meth:`create`.
        """
        for member in self.progress(sweep).members:
            if member.run and member.state in _RESUMABLE and not member.run.is_alive():
                member.run.enqueue()
        self.complete(sweep)

    def remove(self, sweep: Sweep) -> Path:
        """Move the runs of a sweep and its file into ``.removed``. Nothing is deleted.

        Returns:
            The new path of the file.

        Raises:
            RunError: if a run is queued, or a process works on it; then nothing is moved.
        """
        progress = self.progress(sweep)
        busy = [
            m for m in progress.members if m.state in UNFINISHED or (m.run and m.run.is_alive())
        ]
        if busy:
            raise RunError(
                f"{len(busy)} of the runs of {printable(sweep.title)} are queued or running; stop "
                "the sweep first."
            )
        for member in progress.members:
            if member.run is not None:
                self.store.remove(member.run.id)
        target = self.store.folder / ".removed" / f"{sweep.id}-{secrets.token_hex(2)}.json"
        target.parent.mkdir(exist_ok=True)
        return self.path(sweep.id).rename(target)

    # ---- files

    def _write(self, sweep: Sweep) -> None:
        try:
            replace_plain(self.path(sweep.id), json.dumps(content_of(sweep), indent=1) + "\n")
        except OSError as error:
            raise _not_created(error) from error

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            check_folder(self.folder)
            check_plain(self.folder / _LOCK_FILE)
        except OSError as error:
            raise _not_created(error) from error
        with FileLock(self.folder / _LOCK_FILE, timeout=_PATIENCE):
            yield


def made_title(grid: Grid) -> str:
    """Name a sweep by its settings: ``"digits · posterior (3) × seed (2)"``."""
    config = grid.points[0].config
    names = {name: name.replace("_", " ") for name in grid.values}
    parts = " × ".join(f"{names[name]} ({len(some)})" for name, some in grid.values.items())
    return f"{grid.settings.get('title') or config.dataset} · {parts}"[:LONGEST]


def _not_created(error: OSError) -> RunNotCreated:
    return RunNotCreated(f"The sweep could not be written. {sentence_of(error)}")


def _id_of(point: Point) -> str:
    return new_id(point.config.name)


def _other_settings(run: Run, planned: Planned) -> str:
    """Say that a run is not the one that the sweep planned; empty if it is."""
    table = run.config.settings()
    for name, value in planned.values.items():
        if value is not None and table[name] != value:
            about = explain(name)
            return f"The run {printable(run.id)} has another {about.label} than its sweep says."
    return ""

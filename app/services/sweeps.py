"""Sweeps for pages: list, read and start them, and the figures of their runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.services import comparing, runs
from app.services.byte_cache import cached
from vae_core.basics.versions import version_of
from vae_core.runs.run import RunError
from vae_core.runs.sweep_figures import SweepFigures, arranged
from vae_core.runs.sweeps import DamagedSweep, Progress, Sweep, SweepStore
from vae_core.settings.grid import Grid


def store() -> SweepStore:
    """The sweeps of the run store."""
    return SweepStore(runs.store())


def entries() -> list[Sweep | DamagedSweep]:
    """List all sweeps, newest first. A file that has not changed is not read again."""
    return [_entry(each) for each in store().ids()]


def get(sweep_id: str) -> Sweep | DamagedSweep:
    """Read a sweep; if it does not exist or is damaged, the reason."""
    return _entry(sweep_id)


def _entry(sweep_id: str) -> Sweep | DamagedSweep:
    path = str(store().path(sweep_id)) if "\0" not in sweep_id else ""
    return _read(path, str(version_of(path)), sweep_id)


@cached(max_entries=256)
def _read(path: str, version: str, sweep_id: str) -> Sweep | DamagedSweep:
    try:
        return store().get(sweep_id)
    except RunError as error:
        return DamagedSweep(sweep_id, str(error))


def progress(sweep: Sweep) -> Progress:
    """Look up the runs of a sweep."""
    return store().progress(sweep)


def figures(state: Progress) -> SweepFigures:
    """Arrange the figures of the runs of a sweep. Files that have not changed are not read."""
    found = [(member.planned.id, member.run) for member in state.members if member.run]
    return arranged(state, comparing.comparison_of(found))


def start(grid: Grid, title: str) -> Sweep:
    """Queue a new sweep; start a worker if needed.

    Raises:
        vae_core.settings.config.ConfigError: if a combination cannot be trained.
        vae_core.runs.store.RunNotCreated: if the store cannot be written.
        app.services.runs.QueueFull: if the queue has no room for so many runs.
    """
    runs.check_room(len(grid.points))
    made = store().create(grid, title)
    runs.start_worker()
    return made


def extend(sweep: Sweep, values: Mapping[str, Sequence[Any]]) -> Sweep:
    """Queue more runs of a sweep.

    Raises:
        As for :func:`start`.
    """
    runs.check_room(len(sweep.grid.with_more(values).points) - len(sweep.planned))
    longer = store().extend(sweep, values)
    runs.start_worker()
    return longer


def resume(sweep: Sweep) -> None:
    """Queue the runs of a sweep that are paused, stopped, failed or missing.

    Raises:
        As for :func:`start`.
    """
    state = progress(sweep)
    runs.check_room(len(state.members) - state.counts.get("done", 0))
    store().resume(sweep)
    runs.start_worker()

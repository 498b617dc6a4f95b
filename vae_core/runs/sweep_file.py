"""The file of a sweep, checked when it is read: it may be damaged, or from somebody else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vae_core.basics.text import printable
from vae_core.settings.config import explain
from vae_core.settings.fields import ConfigError, checked
from vae_core.settings.grid import MOST_RUNS, Grid

ID = re.compile(r"[A-Za-z0-9][\w.\-]{0,150}", re.ASCII)
"""Name of a sweep or of a run in it."""
LONGEST = 80
"""Most characters of a title."""
_FORMAT = 1
_LATEST = 32_503_680_000  # the year 3000 in seconds since 1970


@dataclass(frozen=True)
class Planned:
    """A run of a sweep, which may not exist yet.

    Attributes:
        id: name of its folder in the store.
        values: its values of the settings that vary; None where a setting has no meaning.
    """

    id: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Sweep:
    """A sweep as its file describes it.

    Attributes:
        title: name in lists.
        created: seconds since 1970.
    """

    id: str
    title: str
    created: float
    grid: Grid
    planned: tuple[Planned, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the settings that vary."""
        return tuple(self.grid.values)


def key_of(values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return the values of a run in a form that can be a key."""
    return tuple(sorted(values.items()))


def content_of(sweep: Sweep) -> dict[str, Any]:
    """Convert a sweep to the content of its file."""
    return {
        "format": _FORMAT,
        "title": sweep.title,
        "created": sweep.created,
        "settings": dict(sweep.grid.settings),
        "values": {name: list(values) for name, values in sweep.grid.values.items()},
        "runs": [{"id": each.id, "values": dict(each.values)} for each in sweep.planned],
    }


def sweep_of(sweep_id: str, found: Any) -> Sweep:
    """Make a sweep from the content of its file.

    Raises:
        LookupError, TypeError, ValueError: if it is no such file.
    """
    if not isinstance(found, Mapping) or found.get("format") != _FORMAT:
        raise ValueError("it is no sweep of this version of the program")
    title, created, runs = found["title"], found["created"], found["runs"]
    if not isinstance(title, str) or not title or len(title) > LONGEST:
        raise ValueError("it has no title")
    if isinstance(created, bool) or not 0 <= created <= _LATEST:
        raise ValueError("its time is not a time")
    if not isinstance(runs, list) or not 1 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"it does not have 1 to {MOST_RUNS:,} runs")
    grid = Grid.of(_settings(found["settings"]), _table(found["values"]))
    if not grid.values:
        raise ValueError("no setting of it varies")
    planned = tuple(_planned(each, grid) for each in runs)
    ids, keys = {each.id for each in planned}, {key_of(each.values) for each in planned}
    if len(ids) < len(runs) or len(keys) < len(runs):
        raise ValueError("it names a run twice")
    return Sweep(sweep_id, printable(title), float(created), grid, planned)


def _table(found: Any) -> Mapping[str, Any]:
    if not isinstance(found, Mapping) or not all(isinstance(v, list) for v in found.values()):
        raise ValueError("its values are no lists")
    return found


def _settings(found: Any) -> dict[str, Any]:
    if not isinstance(found, Mapping):
        raise ValueError("its settings are no table")
    return {name: _setting(name, value) for name, value in found.items()}


def _setting(name: str, value: Any) -> Any:
    try:
        about = explain(name)
    except StopIteration:
        raise ConfigError(f"Unknown setting {printable(str(name), 40)!r}.") from None
    if name == "dataset":  # one that may be gone; its runs may still be read
        about = replace(about, listed_titles={}, fixed_choices=None)
    return checked(about, value)


def _planned(found: Any, grid: Grid) -> Planned:
    run_id, values = found["id"], found["values"]
    if not isinstance(run_id, str) or not ID.fullmatch(run_id):
        raise ValueError("it names a run by something that is no name")
    if not isinstance(values, Mapping) or values.keys() != grid.values.keys():
        raise ValueError("a run of it has other settings than the sweep")
    for name, value in values.items():
        if value is not None and value not in grid.values[name]:
            raise ValueError(f"a run of it has a {explain(name).label} that is not in the sweep")
    return Planned(run_id, dict(values))

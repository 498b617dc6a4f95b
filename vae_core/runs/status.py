"""The status of a run, checked when it is read: the file may be damaged, or from somebody else."""

import dataclasses
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

State = Literal["queued", "running", "paused", "stopped", "failed", "done"]
UNFINISHED: tuple[State, ...] = ("queued", "running")
_LONGEST = 10_000  # characters of a text
_LARGEST = 32_503_680_000  # the year 3000 in seconds since 1970; far above all other numbers
_MOST_TERMS = 50


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
    best_epoch: int = 0
    deaths: int = 0  # processes lost since the last checkpoint
    error: str = ""

    @classmethod
    def from_dict(cls, values: Any) -> "Status":
        """Make a status from the content of a file.

        Raises:
            ValueError: if a field is unknown, or has a type or a value that no status has.
        """
        if not isinstance(values, Mapping):
            raise ValueError("it is no table of names and values")
        hints = _hints()
        if unknown := sorted(set(values) - hints.keys()):
            raise ValueError(f"unknown field {unknown[0]!r}")
        if "state" not in values:
            raise ValueError("it has no state")
        return cls(**{name: _checked(name, value, hints[name]) for name, value in values.items()})

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


@cache
def _hints() -> dict[str, Any]:
    hints = get_type_hints(Status)
    return {each.name: hints[each.name] for each in dataclasses.fields(Status)}


def _checked(name: str, value: Any, hint: Any) -> Any:
    """Return a value in the type of a field.

    Raises:
        ValueError: if the field cannot have this value.
    """
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is Literal:
        fits = isinstance(value, str) and value in get_args(hint)
    elif hint is str:
        fits = isinstance(value, str) and len(value) <= _LONGEST
    elif hint is bool:
        fits = isinstance(value, bool)
    elif hint in (int, float):
        fits = _is_number(value) and (hint is float or isinstance(value, int))
        fits = fits and 0 <= value <= _LARGEST
        value = hint(value) if fits else value
    else:
        return _terms(name, value)
    if not fits:
        raise ValueError(f"{name} is {_short(value)}")
    return value


def _terms(name: str, value: Any) -> dict[str, float]:
    if not isinstance(value, Mapping) or len(value) > _MOST_TERMS:
        raise ValueError(f"{name} is {_short(value)}")
    for term, number in value.items():
        if not _is_number(number) and number is not None:
            raise ValueError(f"{name} has {term[:40]!r} = {_short(number)}")
    return {term: math.nan if number is None else float(number) for term, number in value.items()}


def _is_number(value: Any) -> bool:
    """Whether a value is a number that fits into a float, NaN included."""
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= 10**300
    return isinstance(value, float)


def _short(value: Any) -> str:
    """Describe a value in a few characters, however deeply it is nested."""
    known = {dict: "a table", list: "a list"}
    return known.get(type(value)) or f"{str(value)[:40]!r}"

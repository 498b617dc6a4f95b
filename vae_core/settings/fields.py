"""Settings with a default, bounds, a label and a help text, checked when they are set.

The classes of :mod:`vae_core.settings.config` consist of such settings. Forms and the command line
read them with :func:`settings_of`.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from numbers import Integral, Real
from types import UnionType
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from vae_core.basics.errors import UserError

MOST_CLASSES = 10_000


class ConfigError(UserError, ValueError):
    """A setting cannot be used; the message says what to do."""


Titles = Mapping[str, str] | Callable[[], Mapping[str, str]]
"""A title for each choice. A function is called each time the choices are needed, because its list
may grow; all its names can be chosen."""


@dataclass(frozen=True)
class Setting:
    """One field of a config class, with all that a form or a command line needs."""

    name: str
    kind: type
    default: Any
    label: str
    help: str
    bounds: tuple[float, float] | None
    advanced: bool
    only_if: tuple[str, tuple[Any, ...]] | None  # (other setting, its values that need this one)
    placeholder: str
    fixed_choices: tuple[Any, ...] | None
    listed_titles: Titles

    @property
    def titles(self) -> Mapping[str, str]:
        """The titles of the choices that have one."""
        return self.listed_titles() if callable(self.listed_titles) else self.listed_titles

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """All choices that exist now; None for a number or a free text."""
        return tuple(self.titles) if callable(self.listed_titles) else self.fixed_choices


def setting(
    default: Any,
    label: str,
    help: str,
    *,
    bounds: tuple[float, float] | None = None,
    advanced: bool = False,
    only_if: tuple[str, tuple[Any, ...]] | None = None,
    titles: Titles | None = None,
    placeholder: str = "",
) -> Any:
    """Make a dataclass field with a label, a help text, bounds, and titles of its choices."""
    about = {
        "label": label, "help": help, "bounds": bounds, "advanced": advanced,
        "only_if": only_if, "listed_titles": titles or {}, "placeholder": placeholder,
    }  # fmt: skip
    return field(default=default, metadata={"setting": about})


class Checked:
    """Base of dataclasses with :func:`setting` fields: checks types, choices and bounds; JSON."""

    def __post_init__(self) -> None:
        for each in self._to_check():
            object.__setattr__(self, each.name, checked(each, getattr(self, each.name)))

    def _to_check(self) -> tuple[Setting, ...]:
        """The settings whose values are checked."""
        return settings_of(type(self))

    def to_dict(self) -> dict[str, Any]:
        """Convert to a plain dictionary, ready for JSON."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a config from the result of :meth:`to_dict`.

        Raises:
            ConfigError: if a key is unknown or a value is out of bounds, or if it is no dictionary.
        """
        cls.check_mapping(values)
        known = {f.name for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"Unknown setting {unknown[0]!r}. Known: {', '.join(sorted(known))}.")
        return cls(**values)

    @staticmethod
    def check_mapping(values: object) -> None:
        """Check that settings from a file are a dictionary.

        Raises:
            ConfigError: otherwise.
        """
        if not isinstance(values, Mapping):
            raise ConfigError("Settings must be a table of names and values.")


@cache
def settings_of(config: type) -> tuple[Setting, ...]:
    """List the settings of a config class, in the order of their declaration."""
    hints = get_type_hints(config)
    found = []
    for each in dataclasses.fields(config):
        about = each.metadata.get("setting")
        if about is None:
            continue
        hint = hints[each.name]
        hint = _without_none(hint)
        choices = get_args(hint) if get_origin(hint) is Literal else None
        kind = type(choices[0]) if choices else hint
        found.append(Setting(each.name, kind, each.default, fixed_choices=choices, **about))
    return tuple(found)


def _without_none(hint: Any) -> Any:
    """The type of a setting that may also be None."""
    if isinstance(hint, UnionType):
        (hint,) = (each for each in get_args(hint) if each is not type(None))
    return hint


def checked(about: Setting, value: Any) -> Any:
    """Check a value of a setting and return it in the setting's own type.

    Raises:
        ConfigError: if the setting cannot have this value.
    """
    if value is None and about.default is None:
        return None
    value = plain_number(value)
    if about.choices is not None:
        if value not in about.choices:
            options = ", ".join(map(str, about.choices))
            raise ConfigError(f"{about.label} must be one of {options}; it was {value!r}.")
        return value
    if about.kind is str:
        if not isinstance(value, str) or len(value) > 80:
            raise ConfigError(f"{about.label} must be a text of at most 80 characters.")
        return value
    return _number(about, value)


def value_in(about: Setting, table: Mapping[str, Any]) -> Any:
    """Value of a setting in a table of all settings; None where another one makes it meaningless.

    So the steps of a flow are None where the posterior is Gaussian.
    """
    if about.only_if is not None:
        other, values = about.only_if
        if table[other] not in values:
            return None
    return table[about.name]


def plain_number(value: Any) -> Any:
    """Convert numbers of NumPy, such as ``np.int64(4)``, to Python's own; keep all other values."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def checked_classes(given: Any) -> int:
    """Check a number of classes and return it as a number of Python.

    Raises:
        ConfigError: if it is not a whole number from 2 to 10,000.
    """
    classes = plain_number(given)
    if not isinstance(classes, int) or not 2 <= classes <= MOST_CLASSES:
        raise ConfigError(f"There must be 2 to {MOST_CLASSES:,} classes, not {classes}.")
    return classes


def checked_shape(given: Any) -> tuple[int, ...]:
    """Check an image shape and return it as a tuple of Python's numbers.

    Raises:
        ConfigError: if it is not (channels, height, width), each 1 to 1024.
    """
    shape = tuple(map(plain_number, given)) if isinstance(given, Iterable) else (given,)
    if len(shape) != 3 or not all(isinstance(s, int) and 1 <= s <= 1024 for s in shape):
        raise ConfigError(
            f"The image shape must be (channels, height, width), each 1 to 1024, not {given!r}."
        )
    return shape


def _number(about: Setting, value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if about.kind is int and isinstance(value, float) and value.is_integer():
        value, whole = int(value), True
    if not (whole or (about.kind is float and isinstance(value, float))):
        wanted = "a whole number" if about.kind is int else "a number"
        raise ConfigError(f"{about.label} must be {wanted}; it was {value!r}.")
    if about.bounds is not None:
        low, high = about.bounds
        if not low <= value <= high:  # also refuses NaN
            bounds = f"from {_shown(low)} to {_shown(high)}"
            raise ConfigError(f"{about.label} must be {bounds}; it was {_shown(value)}.")
    return about.kind(value)


def _shown(number: float) -> str:
    """A number for reading: 1,000,000 and 0.001."""
    return f"{number:,}" if isinstance(number, int) else f"{number:g}"

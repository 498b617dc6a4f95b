"""Several values of some settings, and all their combinations: the runs of a sweep."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig, explain
from vae_core.settings.fields import ConfigError, Setting, checked, settings_of, value_in

SEED = "seed"
MOST_RUNS = 1000
"""Most runs of a sweep."""
_MOST_VALUES = 100
_LONGEST_TITLE = 80
_FIXED = ("device", "precision")  # of the computer, not of the model
SHORT: Mapping[str, str] = {
    "latent_size": "d", "flow_steps": "T", "samples": "L", "iwae_samples": "K", "beta": "β",
    "learning_rate": "rate", "hidden_size": "units", "hidden_layers": "layers",
    "posterior": "q(z|x)",
}  # fmt: skip
"""Short names of settings, for the names of runs."""

SWEEPABLE: tuple[Setting, ...] = tuple(
    each
    for kind in (ModelConfig, TrainConfig)
    for each in settings_of(kind)
    if each.name not in _FIXED and (each.kind is not str or each.choices is not None)
)
"""Settings that can take several values."""


@dataclass(frozen=True)
class Point:
    """One combination of values.

    Attributes:
        values: by the name of a setting; None where another value makes the setting meaningless.
        config: settings of its run.
    """

    values: Mapping[str, Any]
    config: RunConfig

    @property
    def key(self) -> RunConfig:
        """The settings without the name of the run, which tell one run from another."""
        return dataclasses.replace(self.config, title="")


@dataclass(frozen=True)
class Grid:
    """Fixed settings, and several values of others.

    Attributes:
        settings: fixed settings that were chosen, by name; all others have their defaults.
        values: values by the name of a setting, without repetition.
    """

    settings: Mapping[str, Any]
    values: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, settings: Mapping[str, Any], values: Mapping[str, Sequence[Any]]) -> "Grid":
        """Make a grid and check its values.

        Raises:
            ConfigError: if a setting cannot take several values, a value cannot be used, or there
                are too many runs.
        """
        return cls(dict(settings), {name: _values(name, some) for name, some in values.items()})

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """All combinations; those that differ only in a meaningless setting are one.

        Every combination of the other settings comes with the first seed before any of them comes
        with the second one, so that a sweep that is not finished shows something of all of them.

        Raises:
            ConfigError: if a combination cannot be trained, or there are too many.
        """
        count = math.prod(map(len, self.values.values()))
        if count > MOST_RUNS:
            raise ConfigError(f"A sweep has at most {MOST_RUNS:,} runs, not {count:,}.")
        names = sorted(self.values, key=lambda name: name != SEED)  # the outermost loop first
        found: dict[tuple[Any, ...], Point] = {}
        for chosen in itertools.product(*(self.values[name] for name in names)):
            point = self._point(dict(zip(names, chosen, strict=True)))
            found.setdefault(tuple(point.values.values()), point)
        return tuple(found.values())

    def _point(self, chosen: Mapping[str, Any]) -> Point:
        try:
            config = RunConfig.from_settings({**self.settings, **chosen})
        except ConfigError as error:
            raise ConfigError(f"{words_of(chosen)} cannot be trained. {error}") from error
        table = config.settings()
        values = {name: value_in(explain(name), table) for name in self.values}
        title = _title(config, values)
        return Point(values, dataclasses.replace(config, title=title))

    def with_more(self, values: Mapping[str, Sequence[Any]]) -> "Grid":
        """Add values. A setting that was fixed keeps its value and takes the new ones too.

        Raises:
            ConfigError: as for :meth:`of`.
        """
        fixed = self.points[0].config.settings()
        merged = dict(self.values)
        for name, some in values.items():
            merged[name] = (*merged.get(name, (fixed.get(name),)), *some)
        kept = {name: value for name, value in self.settings.items() if name not in merged}
        return Grid.of(kept, merged)


def words_of(values: Mapping[str, Any]) -> str:
    """Name a combination in a few words: ``"iaf, d = 8, seed = 1"``."""
    return ", ".join(_word(name, value, " = ") for name, value in values.items())


def _word(name: str, value: Any, between: str) -> str:
    about = explain(name)
    if value is None:
        return f"no {about.label.lower()}"
    if about.kind is str and name == "posterior":
        return str(value)
    shown = value if isinstance(value, str | int) else f"{value:g}"
    return f"{SHORT.get(name, name.replace('_', ' '))}{between}{shown}"


def _title(config: RunConfig, values: Mapping[str, Any]) -> str:
    """Name of a run: that of the sweep or the data set, and the values that tell it apart."""
    words = (_word(name, value, "=") for name, value in values.items() if value is not None)
    title = " · ".join([config.title or config.dataset, *words])
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"


def _values(name: str, values: Sequence[Any]) -> tuple[Any, ...]:
    about = next((each for each in SWEEPABLE if each.name == name), None)
    if about is None:
        raise ConfigError(f"The setting {name!r} cannot take several values.")
    found = tuple(dict.fromkeys(checked(about, value) for value in values))
    if not 1 <= len(found) <= _MOST_VALUES:
        raise ConfigError(f"{about.label} takes 1 to {_MOST_VALUES} values, not {len(found)}.")
    return found

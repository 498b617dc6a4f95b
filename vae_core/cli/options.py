"""Options of a command, made from a class of settings."""

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from vae_core.settings.data_sets import dataset_called
from vae_core.settings.fields import Checked, ConfigError, Setting, checked, settings_of

C = TypeVar("C", bound=Checked)


def add_settings(parser: argparse.ArgumentParser, kind: type, *, only_given: bool = False) -> None:
    """Add an option ``--some-name`` for each setting of a class.

    Args:
        only_given: leave options that were not given out of the result, instead of giving them
            their default.
    """
    for each in settings_of(kind):
        add_setting(parser, each, only_given=only_given)


def add_setting(
    parser: argparse.ArgumentParser,
    about: Setting,
    *,
    only_given: bool = False,
    several: bool = False,
) -> None:
    """Add the option ``--some-name`` of a setting.

    Args:
        only_given: as for :func:`add_settings`.
        several: whether it takes one value or more, which are a list then.
    """
    parser.add_argument(
        f"--{about.name.replace('_', '-')}",
        default=argparse.SUPPRESS if only_given else about.default,
        type=_parser_of(about),
        choices=about.choices,
        metavar=None if about.choices else about.name.upper(),
        nargs="+" if several else None,
        help=f"{about.help} Default: {_default(about)}.".replace("%", "%%"),
    )


def options_of(given: argparse.Namespace, kind: type[C]) -> C:
    """The options of a class that a command was given."""
    return kind(**{each.name: getattr(given, each.name) for each in settings_of(kind)})


def _default(about: Setting) -> str:
    return "none" if about.default in (None, "") else str(about.default)


def _parser_of(about: Setting) -> Callable[[str], Any]:
    """Turn a text of the command line into a value of the setting, or refuse it with its reason."""

    def parse(text: str) -> Any:
        try:
            return checked(about, _number(about.kind, text))
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    if about.name == "dataset":
        return _name_of_today
    return parse if about.kind in (int, float) else str


def _name_of_today(text: str) -> str:
    """The name of the data set that is or was called so; the text itself where there is none."""
    found = dataset_called(text)
    return found.name if found else text


def _number(kind: type, text: str) -> int | float | str:
    """The number that a text says; the text itself where it says none, to be refused as it is."""
    try:
        return kind(text)
    except ValueError:
        return text

"""``publish``: make the pretrained models again, from their recipes."""

import argparse
from typing import Any

from vae_core.cli.shared import ALL_DONE, say
from vae_core.settings.fields import ConfigError


def add_publish(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "publish", help="train, evaluate and publish the pretrained models"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="which ones (default: all)")
    parser.set_defaults(command=publish)


def publish(given: argparse.Namespace) -> int:
    """Make the named models, or all of them; continue interrupted ones."""
    from vae_core.runs.recipes import RECIPES, make

    if unknown := set(given.names) - set(RECIPES):
        raise ConfigError(f"No recipe is called {min(unknown)!r}. Known: {', '.join(RECIPES)}.")
    for name in given.names or RECIPES:
        say(f"{name}: {make(name)}")
    return ALL_DONE

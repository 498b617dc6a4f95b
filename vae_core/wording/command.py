"""Commands that do again what a page shows."""

import shlex
from collections.abc import Sequence

from vae_core.settings.fields import Checked, settings_of


def command(name: str, places: Sequence[str], options: Checked | None = None) -> str:
    """A command line with the options that differ from their defaults.

    Args:
        name: of the command.
        places: what follows it: a run, then files.
        options: the options of the command, if it has any.
    """
    words = ["python", "-m", "vae_core", name, *places]
    for each in settings_of(type(options)) if options is not None else ():
        value = getattr(options, each.name)
        if value != each.default:
            words += [f"--{each.name.replace('_', '-')}", str(value)]
    return shlex.join(words)

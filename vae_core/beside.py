"""Reading what is kept beside a run, which may be damaged like any file."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError

from vae_core.runs import Run, RunError

T = TypeVar("T")


def read_beside(run: Run, name: str, read: Callable[[Path], T], remedy: str) -> T | None:
    """What ``read`` makes of a file in a run's folder; None where there is none.

    Args:
        remedy: a sentence on what helps.

    Raises:
        RunError: if the file is damaged.
    """
    path = run.folder / name
    if not path.is_file():
        return None
    try:
        return read(path)
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        raise RunError(f"{name} of the run {run.id} is damaged: {error}. {remedy}") from error


def made_again_by(command: str) -> str:
    """The remedy where a command of the command line makes the file."""
    return f"Make it again with `python -m vae_core {command}`."

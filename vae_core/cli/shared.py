"""Functions for all commands of the command line: options, opening a model, printing."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vae_core.basics.errors import InvalidArgument
from vae_core.basics.paths import path_of
from vae_core.basics.strict_json import strict_json
from vae_core.basics.text import printable_lines
from vae_core.runs.run import Run
from vae_core.settings.choices import Binarisation, WeightsName, pixels_as
from vae_core.settings.options import binarisation_asked_for

ALL_DONE, NOT_ALL_DONE, WRONG_USAGE, BUG, INTERRUPTED = 0, 1, 2, 70, 130
"""Exit statuses of the command line; 70 is EX_SOFTWARE of sysexits.h."""
MAX_SAMPLED_IMAGES = 10_000  # in one picture


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that opens the model of a run."""
    parser.add_argument(
        "run", type=a_path, metavar="DIR", help="folder or id of the run, or pretrained/NAME"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add the option of a command that can use the last weights of a run as well."""
    parser.add_argument(
        "--weights",
        default="kept",
        choices=("kept", "last"),
        help="weights of the epoch that the run kept, or of its last epoch (default kept)",
    )


def open_model(given: argparse.Namespace) -> tuple[Run, Any]:
    run = Run.open(given.run)
    from vae_core.basics.devices import resolve_device
    from vae_core.runs.checkpoint import load_model

    weights: WeightsName = getattr(given, "weights", "kept")
    return run, load_model(run.folder, resolve_device(given.device), weights)


def binarisation_of(option: str, run: Run) -> Binarisation:
    """Return the chosen binarisation, or that of the run's training by default.

    Raises:
        ConfigError: if the model does not accept such pixels.
    """
    chosen: Any = binarisation_asked_for(option, run.config.train.binarisation)
    pixels_as(chosen, run.config.model.likelihood)
    return chosen


def a_path(text: str) -> Path:
    """A path of the command line. A file that exists comes before the meaning of ``~``."""
    if Path(text).exists():
        return Path(text)
    try:
        return path_of(text)
    except InvalidArgument as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def a_positive(text: str) -> int:
    value = _whole(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return value


def an_image_count(text: str) -> int:
    return _at_most(MAX_SAMPLED_IMAGES, text)


def a_seed(text: str) -> int:
    value = _whole(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"must be 0 to {2**31 - 1:,}, not {text}")
    return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from error


def _at_most(most: int, text: str) -> int:
    value = a_positive(text)
    if value > most:
        raise argparse.ArgumentTypeError(f"must be at most {most:,}, not {text}")
    return value


def report_share(share: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{share:4.0%}")


def say(text: str) -> None:
    """Print a message on stderr, without control characters of names and titles in it."""
    print(printable_lines(text), file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """Print a result on stdout, without control characters of names and titles in it."""
    print(printable_lines(text))


def print_json(value: Any) -> None:
    """Print a result as JSON, which escapes control characters."""
    print(strict_json(value, indent=2))


def print_json_rows(head: dict[str, Any], name: str, rows: Iterable[dict[str, Any]]) -> None:
    """Print one JSON object of ``head`` and a list of rows; print each row when it is ready."""
    sys.stdout.write(_indented(head, 0).removesuffix("\n}") + f',\n  "{name}": [')
    for index, row in enumerate(rows):
        sys.stdout.write(("," if index else "") + "\n    " + _indented(row, 4))
    sys.stdout.write("\n  ]\n}\n")


def _indented(value: Any, by: int) -> str:
    return strict_json(value, indent=2).replace("\n", "\n" + " " * by)

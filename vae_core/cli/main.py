"""The command line: ``python -m vae_core train | sweep | evaluate | gap | compare | score |
calibrate | detect | operating-point | sample | datasets | publish | runs``.

Exit status: 0 for success, 1 if something could not be read or failed, 2 for wrong usage,
70 for a bug in the program (with a traceback), 130 after Ctrl-C (1 if Ctrl-C paused a training).
With ``--json``, stdout is one JSON object; progress goes to stderr.
"""

import argparse
import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from vae_core.basics.errors import sentence_of
from vae_core.basics.text import PlainFormatter
from vae_core.basics.warned import say_it_elsewhere
from vae_core.cli.calibrate import add_calibrate
from vae_core.cli.classify import add_classify
from vae_core.cli.compare import add_compare
from vae_core.cli.datasets import add_datasets
from vae_core.cli.detect import add_detect
from vae_core.cli.evaluate import add_evaluate, add_gap
from vae_core.cli.operating_point import add_operating_point
from vae_core.cli.publish import add_publish
from vae_core.cli.runs import list_runs
from vae_core.cli.sample import add_sample
from vae_core.cli.score import add_score
from vae_core.cli.shared import (
    BUG,
    INTERRUPTED,
    NOT_ALL_DONE,
    WRONG_USAGE,
    a_path,
    say,
)
from vae_core.cli.sweep import add_sweep
from vae_core.cli.train import add_train
from vae_core.settings.fields import ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        given = _parser().parse_args(arguments)
        status = given.command(given)
        sys.stdout.flush()  # here, where an error has a sentence
        return status
    except ConfigError as error:
        say(f"error: {error}")
        return WRONG_USAGE
    except KeyboardInterrupt as stop:
        say("\n" * sys.stderr.isatty() + (str(stop) or "Stopped before the end."))
        return INTERRUPTED
    except BrokenPipeError:  # whoever reads the output has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_ALL_DONE
    except Exception as error:
        return _report_error(error)


def _report_error(error: Exception) -> int:
    """Print the sentence of an error, or the traceback of a bug, and return the exit status."""
    sentence = sentence_of(error)
    if sentence is None:
        say("".join(traceback.format_exception(error)).rstrip())
        say("error: This is a bug in the program. Please report it with the lines above.")
        return BUG
    say(f"error: {sentence}")
    return NOT_ALL_DONE


def _program() -> str:
    """The words that started this command line: ``vae`` where it is installed as a program."""
    return "vae" if Path(sys.argv[0]).stem == "vae" else "python -m vae_core"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_program(), description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_train(commands)
    add_sweep(commands)
    add_evaluate(commands)
    add_gap(commands)
    add_compare(commands)
    add_classify(commands)
    add_score(commands)
    add_calibrate(commands)
    add_detect(commands)
    add_operating_point(commands)
    add_sample(commands)
    add_datasets(commands)
    add_publish(commands)
    runs = commands.add_parser("runs", help="list the runs of the store, or add one")
    about = "check somebody's .zip file of a run folder, and unpack it into the store"
    runs.add_argument("--add", type=a_path, metavar="FILE.zip", help=about)
    runs.add_argument("--json", action="store_true", help="print one JSON object")
    runs.set_defaults(command=list_runs)
    return parser


def run_as_program() -> NoReturn:
    """Run the command line of this process and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a σ must not stop the whole output
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    say_it_elsewhere()
    sys.exit(main())

"""``compare``: settings that differ and final figures of several runs, side by side."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vae_core.basics.files import replace_plain
from vae_core.cli.shared import ALL_DONE, NOT_ALL_DONE, a_path, print_json, say, tell
from vae_core.runs.comparison import FIGURES, Compared, Comparison, Group, compare, compared
from vae_core.runs.comparison_export import columns_of, group_sentences, record_of
from vae_core.runs.run import Run, RunError
from vae_core.wording.comparison import (
    SEVERAL_WAYS,
    TITLES,
    figure_in_words,
    setting_in_words,
)

_BEST = "*"


def add_compare(commands: Any) -> None:
    about = "settings and final figures of several runs, side by side"
    parser = commands.add_parser("compare", help=about)
    parser.add_argument(
        "runs",
        type=a_path,
        nargs="+",
        metavar="RUN",
        help="folder or id of a run, or pretrained/NAME",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--csv", type=a_path, metavar="FILE", help="also write a table with a row for each run"
    )
    parser.add_argument(
        "--tensorboard",
        type=a_path,
        metavar="DIR",
        help="also write the curves of the runs as event files of TensorBoard into DIR; needs the "
        "package tensorboardX",
    )
    parser.set_defaults(command=compare_runs)


def compare_runs(given: argparse.Namespace) -> int:
    """Print a comparison. A run that cannot be read is named, and the others are compared."""
    runs, refused = _opened(given.runs)
    found = compare(runs)
    for each in runs:
        for problem in each.problems:
            say(f"warning: {problem}")
    if given.csv is not None:
        _write(given.csv, found)
    if given.tensorboard is not None:
        from vae_core.runs.tensorboard import write_events

        write_events(found.runs, found.names, given.tensorboard)
        say(f"To see the curves: tensorboard --logdir {given.tensorboard}")
    if given.json:
        print_json({**record_of(found), "refused": refused})
    else:
        _print(found)
    for each in refused:
        say(f"error: {each['error']}")
    return NOT_ALL_DONE if refused else ALL_DONE


def _opened(paths: Sequence[Path]) -> tuple[list[Compared], list[dict[str, str]]]:
    """Open runs, each once; those that cannot be read have a reason instead."""
    runs: dict[str, Compared] = {}
    refused: list[dict[str, str]] = []
    for path in paths:
        try:
            found = compared(Run.open(path))
            runs.setdefault(found.key, found)
        except RunError as error:
            refused.append({"id": str(path), "error": str(error)})
    return list(runs.values()), refused


def _write(path: Path, found: Comparison) -> None:
    from vae_core.basics.tables import csv_text

    replace_plain(path, csv_text(columns_of(found)))


def _print(found: Comparison) -> None:
    if found.settings:
        rows = [
            [each.about.label, *(setting_in_words(each.about, value) for value in each.values)]
            for each in found.settings
        ]
        _print_table([["", *found.names], *rows])
    elif len(found.runs) > 1:
        tell("The settings of these runs are equal.")
    if len(found.groups) > 1:
        tell("\n" + SEVERAL_WAYS.format(count=len(found.groups)))
    for group in found.groups:
        _print_group(found, group)
    without = [name for name, each in zip(found.names, found.runs, strict=True) if not each.figures]
    for name in without:
        tell(f"\n{name} has no final figures yet.")


def _print_group(found: Comparison, group: Group) -> None:
    conditions = group.conditions
    tell("\n" + conditions.protocol.text(pixels=conditions.pixels))
    rows = [["nats per image", *(TITLES[name] for name in FIGURES)]]
    for place, index in enumerate(group.members):
        cells = [
            figure_in_words(name, group.means[name][place]) + _BEST * (group.best(name) == index)
            for name in FIGURES
        ]
        rows.append([found.names[index], *cells])
    _print_table(rows)
    for sentence in group_sentences(found, group):
        tell(sentence)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        tell("  ".join(cells).rstrip())

"""``score``: score reports of files, folders and archives."""

import argparse
import dataclasses
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    add_scoring_options,
    binarisation_of,
    open_model,
    print_json_rows,
    say,
)
from vae_core.settings.choices import Binarisation

if TYPE_CHECKING:
    from vae_core.cli.table import ScoreTable
    from vae_core.scoring.files import FileScore


# ---- score


def add_score(commands: Any) -> None:
    parser = commands.add_parser("score", help="log p(x) of images of your own, and a verdict")
    parser.add_argument(
        "run", type=Path, metavar="DIR", help="folder or id of the run, or pretrained/NAME"
    )
    parser.add_argument(
        "images", type=Path, nargs="+", metavar="IMAGE|FOLDER|ZIP", help="what to score"
    )
    for step, does in (("invert", "turn dark ink light"), ("contrast", "black ground, white ink"),
                       ("crop", "cut to the ink"), ("centre", "centre the ink")):  # fmt: skip
        parser.add_argument(f"--{step}", choices=("auto", "yes", "no"), default="auto", help=does)
    parser.add_argument(
        "--binarisation",
        choices=get_args(Binarisation),
        default=None,
        help="protocol (default: the one it was trained with; others have no percentiles)",
    )
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="add a row for each image to this table; given again, go on where it stopped",
    )
    parser.add_argument(
        "--pixel-maps",
        action="store_true",
        help="with --json or --csv: also what the model saw, its reconstruction and the "
        "log-likelihood of every pixel, row by row",
    )
    add_scoring_options(parser, 1000)
    parser.set_defaults(command=score)


def score(given: argparse.Namespace) -> int:
    """Score files, folders and .zip archives; files that cannot be read are named."""
    run, model = open_model(given)
    from vae_core.cli.rows import COLUMNS, PIXEL_COLUMNS, PREPARATION
    from vae_core.cli.table import ScoreTable
    from vae_core.data.archives import iter_files
    from vae_core.data.prepare import PrepareOptions
    from vae_core.runs.records import calibration_of, held_out_of, model_digest
    from vae_core.scoring.files import score_files

    options = PrepareOptions(given.invert, given.contrast, given.crop, given.centre)
    calibration = calibration_of(run)
    if calibration is None:
        say("No calibration: the verdict is by log p(x) alone. `calibrate` makes one.")
    held_out = held_out_of(run) if calibration is None else None
    protocol = {
        "binarisation": binarisation_of(given, run),
        "importance_samples": given.importance_samples,
        "seed": given.seed,
    }
    details = {
        **protocol,
        "model": model_digest(run.folder),
        "calibrated_by": calibration and calibration.protocol["images"],
        **dataclasses.asdict(options),
    }
    columns = [*PREPARATION, *COLUMNS, *(PIXEL_COLUMNS if given.pixel_maps else ())]
    table = None
    if given.csv:
        table = ScoreTable(given.csv, columns, details)
        if table.before:
            say(f"{given.csv} has {table.before:,} rows already; what is missing is added.")
    files = iter_files(given.images)
    results = score_files(
        model,
        files if table is None else table.missing(files),
        given.importance_samples,
        protocol["binarisation"],
        held_out,
        options,
        given.seed,
        run.config.dataset,
        calibration,
        given.pixel_maps and (given.json or table is not None),
    )
    tally = _Tally()
    rows = tally.count(_rows(results, table))
    try:
        if given.json:
            print_json_rows({"run": str(given.run), **protocol}, "images", rows)
        else:
            for row in rows:
                print(_score_line(row))
    except KeyboardInterrupt:
        if table is None:
            raise
        kept = f"Stopped. The finished rows are kept in {given.csv}; the same command goes on."
        raise KeyboardInterrupt(kept) from None
    if table is not None:
        return NOT_ALL_DONE if table.failed else ALL_DONE
    return ALL_DONE if tally.rows and not tally.failed else NOT_ALL_DONE


class _Tally:
    """How many rows went by, and how many of them are of files that could not be read."""

    def __init__(self) -> None:
        self.rows = self.failed = 0

    def count(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            self.rows += 1
            self.failed += not row["ok"]
            say("1 file" if self.rows == 1 else f"{self.rows:,} files")
            yield row


def _rows(results: "Iterable[FileScore]", table: "ScoreTable | None") -> Iterator[dict[str, Any]]:
    from vae_core.cli.rows import as_row

    for result in results:
        row = as_row(result)
        if table is not None:
            table.append(row)
        yield row


def _score_line(row: dict[str, Any]) -> str:
    if not row["ok"]:
        return f"{row['file']}: {row['error']}"
    place = "" if row["percentile"] is None else f", percentile {row['percentile']:.0f}"
    error = "" if math.isnan(row["se"]) else f" ± {row['se']:.2f}"
    warning = "" if row["trusted"] else " (do not trust this number: a larger K may help)"
    if row["shows_nothing"]:
        place += ", of an image that shows nothing"
    return (
        f"{row['file']}: log p(x) = {row['log_px']:.2f}{error} nats{warning}, ESS "
        f"{row['ess']:.0f}, Pareto k {row['pareto_k']:.2f}, "
        f"{row['bits_per_dim']:.3f} bits/dim{place}. {row['sentence']}".rstrip()
    )

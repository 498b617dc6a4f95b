"""``score``: score reports of files, folders and archives."""

import argparse
import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from vae_core.cli.calibrate import current_calibration
from vae_core.cli.options import add_settings, options_of
from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    a_path,
    add_run,
    binarisation_of,
    open_model,
    print_json_rows,
    say,
    tell,
)
from vae_core.runs.run import Run
from vae_core.settings.choices import DENSITY, pixels_as
from vae_core.settings.options import FALSE_ALARMS, ScoreOptions
from vae_core.wording.numbers import ERROR_NOT_KNOWN

if TYPE_CHECKING:
    from vae_core.cli.table import ScoreTable
    from vae_core.data.prepare import PrepareOptions
    from vae_core.runs.operating_points import RateSource
    from vae_core.scoring.files import FileScore
    from vae_core.scoring.judge import Judge


def add_score(commands: Any) -> None:
    parser = commands.add_parser("score", help="log p(x) of your own images, and a verdict")
    add_run(parser)
    parser.add_argument(
        "images", type=a_path, nargs="+", metavar="IMAGE|FOLDER|ZIP", help="what to score"
    )
    add_settings(parser, ScoreOptions)
    parser.add_argument(
        "--csv",
        type=a_path,
        metavar="FILE",
        help="append a row for each image to this table; repeat the command to continue it, and "
        "to try files again that could not be read",
    )
    parser.add_argument(
        "--pixel-maps",
        action="store_true",
        help="with --json or --csv: also write the model's input, its reconstruction and the "
        "log-likelihood of every pixel, row by row",
    )
    parser.set_defaults(command=score)


def score(given: argparse.Namespace) -> int:
    """Score files, folders and .zip archives; list files that cannot be read with the reason."""
    run, model = open_model(given)
    from vae_core.data.files import iter_files
    from vae_core.data.prepare import PrepareOptions
    from vae_core.scoring.files import score_files

    options = options_of(given, ScoreOptions)
    judge, source = _judge(options, run, model)
    prepared = PrepareOptions(options.invert, options.contrast, options.crop, options.centre)
    table = _table(given, run, judge, prepared)
    files = iter_files(given.images, options.frames)
    results = score_files(
        model,
        files if table is None else table.missing(files),
        options.importance_samples,
        judge,
        prepared,
        options.seed,
        run.config.info,
        given.pixel_maps and (given.json or table is not None),
    )
    tally = _Tally()
    rows = tally.count(_rows(results, table))
    try:
        head = {**_protocol(given, run, judge), **_rate(judge, source)}
        _print_rows(rows, head, given)
    except KeyboardInterrupt:
        if table is None:
            raise
        kept = f"Stopped. The finished rows are in {given.csv}; repeat the command to continue."
        raise KeyboardInterrupt(kept) from None
    finally:
        if table is not None:
            table.drop_replaced()
    some = tally.rows or table is not None
    return ALL_DONE if some and not tally.failed else NOT_ALL_DONE


def _judge(options: ScoreOptions, run: Run, model: Any) -> "tuple[Judge, RateSource]":
    """Make the judge for the chosen binarisation; calibrate the run first if necessary.

    A calibration uses the binarisation of the run's training. With another binarisation, images
    get no verdict and no calibration is made.

    Returns:
        The judge, and where its false-alarm rate comes from.
    """
    from vae_core.data.download import DownloadError
    from vae_core.scoring.judge import Judge
    from vae_core.settings.data_sets import DataError
    from vae_core.wording.verdict import rate_sentence

    binarisation = binarisation_of(options.binarisation, run)
    if binarisation != run.config.train.binarisation:
        return Judge(binarisation), "default"
    try:
        calibration = current_calibration(run, model)
    except (DataError, DownloadError) as error:
        say(f"No calibration could be made, so scores have no verdict: {error}")
        return Judge(binarisation), "default"
    rate, source = _chosen_rate(options.false_alarms, run, calibration.images)
    if rate != FALSE_ALARMS:
        say(rate_sentence(rate, calibration.images))
    return Judge.of(calibration, binarisation, rate), source


def _chosen_rate(given: float | None, run: Run, held_out: int) -> "tuple[float, RateSource]":
    """The false-alarm rate that was given, else that of the operating point, else the default.

    Raises:
        InvalidArgument: if the held-out images are too few for the rate that was given.
    """
    from vae_core.runs.operating_points import usual_rate
    from vae_core.scoring.false_alarms import check_rate, fewest_images

    if given is not None:
        if given != FALSE_ALARMS:
            check_rate(given, held_out)
        return given, "option"
    usual = usual_rate(run)
    if usual.note:
        say(usual.note)
    if usual.point is not None and held_out < fewest_images(usual.false_alarms):
        say(f"The operating point of this model needs more than {held_out:,} held-out images.")
        return FALSE_ALARMS, "default"
    return usual.false_alarms, usual.source


def _protocol(given: argparse.Namespace, run: Run, judge: "Judge") -> dict[str, Any]:
    likelihood = run.config.model.likelihood
    return {
        "binarisation": judge.binarisation,
        "likelihood": likelihood,
        "pixels": pixels_as(judge.binarisation, likelihood),
        "importance_samples": given.importance_samples,
        "false_alarms": judge.false_alarms if judge.calibration else None,
        "seed": given.seed,
    }


def _table(
    given: argparse.Namespace, run: Run, judge: "Judge", options: "PrepareOptions"
) -> "ScoreTable | None":
    """Open the table that rows are appended to; None without ``--csv``."""
    from vae_core.cli.rows import COLUMNS, PIXEL_COLUMNS, PREPARATION
    from vae_core.cli.table import ScoreTable
    from vae_core.runs.records import model_digest

    if not given.csv:
        return None
    calibration = judge.calibration
    details = {
        **_protocol(given, run, judge),
        "model": model_digest(run.folder),
        "calibrated_by": calibration and calibration.protocol["images"],
        **dataclasses.asdict(options),
    }
    columns = [*PREPARATION, *COLUMNS, *(PIXEL_COLUMNS if given.pixel_maps else ())]
    table = ScoreTable(given.csv, columns, details)
    if table.before:
        again = " Files that could not be read are tried again." if table.failed else ""
        say(f"{given.csv} has {table.before:,} rows already; the missing rows are added.{again}")
    return table


def _rate(judge: "Judge", source: "RateSource") -> dict[str, Any]:
    """Where the false-alarm rate comes from, and its real bounds; none without a verdict."""
    from vae_core.scoring.false_alarms import rate_between

    if judge.calibration is None:
        return {}
    between = rate_between(judge.false_alarms, judge.calibration.images)
    return {"false_alarms_from": source, "false_alarms_between": between}


def _print_rows(
    rows: Iterable[dict[str, Any]], head: dict[str, Any], given: argparse.Namespace
) -> None:
    if given.json:
        print_json_rows({"run": str(given.run), **head}, "images", rows)
    else:
        for row in rows:
            tell(_score_line(row, head["pixels"]))


class _Tally:
    """Counts the rows, and the rows of files that could not be read."""

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


def _score_line(row: dict[str, Any], pixels: str) -> str:
    if not row["ok"]:
        return f"{row['file']}: {row['error']}"
    place = "" if row["percentile"] is None else f", percentile {row['percentile']:.0f}"
    error = "" if math.isnan(row["se"]) else f" ± {row['se']:.2f}"
    unknown = f" ({ERROR_NOT_KNOWN})" * math.isnan(row["se"])
    warning = "" if row["trusted"] else " (do not trust this number: a larger K may help)"
    bits = DENSITY if math.isnan(row["bits_per_dim"]) else f"{row['bits_per_dim']:.3f} bits/dim"
    if row["shows_nothing"]:
        place += ", of an empty image"
    return (
        f"{row['file']}: log p(x) = {row['log_px']:.2f}{error} nats{unknown}{warning}, ESS "
        f"{row['ess']:.0f}, Pareto k {row['pareto_k']:.2f}, {bits}{place}; {pixels}. "
        f"{row['sentence']}".rstrip()
    )

"""The commands that judge images: ``score``, ``calibrate`` and ``detect``."""

import argparse
import dataclasses
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from vae_core.commands import (
    ALL_DONE,
    NOT_ALL_DONE,
    a_positive,
    a_seed,
    add_scoring_options,
    binarisation_of,
    open_model,
    print_json,
    print_json_rows,
    report_share,
    say,
)
from vae_core.config import Binarisation, ConfigError, Split
from vae_core.runs import Run

if TYPE_CHECKING:
    from torch import Tensor

    from vae_core.calibration import Calibration
    from vae_core.datasets import Dataset
    from vae_core.detection import DetectionReport
    from vae_core.score_files import FileScore
    from vae_core.score_table import ScoreTable

# ---- score


def add_score(commands: Any) -> None:
    parser = commands.add_parser("score", help="log p(x) of images of your own, and a verdict")
    parser.add_argument("run", type=Path, metavar="DIR", help="folder of the run")
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
    from vae_core.calibration import Calibration, model_digest
    from vae_core.images import PrepareOptions, iter_files
    from vae_core.score_files import COLUMNS, PIXEL_COLUMNS, PREPARATION, score_files
    from vae_core.score_table import ScoreTable
    from vae_core.scoring import HeldOut

    options = PrepareOptions(given.invert, given.contrast, given.crop, given.centre)
    calibration = Calibration.of(run)
    if calibration is None:
        say("No calibration: the verdict is by log p(x) alone. `calibrate` makes one.")
    held_out = HeldOut.of(run) if calibration is None else None
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
    from vae_core.score_files import as_row

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


# ---- calibrate


def add_calibrate(commands: Any) -> None:
    about = "measure what a run's scores are judged by"
    parser = commands.add_parser(
        "calibrate",
        help=about,
        description=f"{about.capitalize()}, and keep it beside the run, as "
        "calibration.safetensors. It takes 100 validation images or more, where there are so many.",
    )
    _add_own_images(parser, "validation")
    parser.set_defaults(command=calibrate)


def _add_own_images(parser: argparse.ArgumentParser, split: str) -> None:
    parser.add_argument("run", type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument(
        "--limit", type=a_positive, default=500, help=f"{split} images, at most (default 500)"
    )
    parser.add_argument("--seed", type=a_seed, default=0, help="of every draw (default 0)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def calibrate(given: argparse.Namespace) -> int:
    """Measure held-out images and keep the figures beside the run."""
    run, model = open_model(given)
    from vae_core.calibration import FEWEST_IMAGES
    from vae_core.datasets import load_dataset
    from vae_core.decoding import printable

    data = load_dataset(run.config.dataset)
    fewest = _fewest(FEWEST_IMAGES, data, "validation")
    if given.limit < fewest:
        raise ConfigError(
            f"--limit {given.limit} makes too coarse a calibration, so none was written; give "
            f"{fewest} or more."
        )
    calibration = _calibrated(run, model, data, given.limit, given.seed)
    calibration.write(run.folder)
    accuracy = calibration.classifier.accuracy
    if given.json:
        print_json({"run": str(given.run), "class_accuracy": accuracy, **calibration.protocol})
    else:
        print(f"{printable(run.name)}: {_calibration_words(calibration)}")
    return ALL_DONE


def _fewest(wanted: int, data: "Dataset", split: Split) -> int:
    """The number wanted, or all images of the split if it has fewer."""
    return min(wanted, len(data.split(split)[0]))


def _calibration_words(calibration: "Calibration") -> str:
    about = calibration.protocol
    head = about.get("class_head_accuracy")
    by_head = "" if head is None else f", the class head in {head:.1%}"
    return (
        f"calibrated by {about['images']} images of {about['dataset']} {about['split']}; a "
        f"logistic regression on the latent has the right class in "
        f"{calibration.classifier.accuracy:.1%} of them{by_head}."
    )


def _calibrated(run: Run, model: Any, data: "Dataset", images: int, seed: int) -> "Calibration":
    from vae_core.calibration import calibration_steps
    from vae_core.steps import finish

    return finish(calibration_steps(run, model, data, images, seed), report_share)


# ---- detect


def add_detect(commands: Any) -> None:
    about = "how well scores tell foreign images: out-of-distribution detection"
    parser = commands.add_parser(
        "detect",
        help=about,
        description=f"{about.capitalize()}. Without --folder the figures, of 50 test images or "
        "more, are kept beside the run, as detection.json, and the Score page of the app shows "
        "them.",
    )
    _add_own_images(parser, "test")
    parser.add_argument(
        "--folder",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER|ZIP",
        help="foreign images of your own; may be given more than once",
    )
    parser.set_defaults(command=detect)


def detect(given: argparse.Namespace) -> int:
    """Hold the scorer against images that are not of the model's kind."""
    run, model = open_model(given)
    from vae_core.calibration import IMAGES, Calibration
    from vae_core.datasets import load_dataset
    from vae_core.detection import FEWEST_IMAGES, FILE, detection_steps
    from vae_core.steps import finish

    data, calibration = load_dataset(run.config.dataset), Calibration.of(run)
    if calibration is None:
        say("No calibration: making one.")
        calibration = _calibrated(run, model, data, IMAGES, 0)
        _keep(calibration, run.folder)
    own_kinds = {str(folder): _images_in(folder, run, given.limit) for folder in given.folder}
    steps = detection_steps(model, data, calibration, given.limit, given.seed, own_kinds)
    report = finish(steps, report_share)
    if given.json:
        print_json({"run": str(given.run)} | dataclasses.asdict(report))
    else:
        _print_detection(report)
    if given.folder:
        say("Not kept beside the run: it says something of your folders.")
    elif report.own_images < (fewest := _fewest(FEWEST_IMAGES, data, "test")):
        say(f"Not kept beside the run: of {report.own_images} own images, not {fewest} or more.")
    elif _keep(report, run.folder):
        say(f"Kept as {run.folder / FILE}; the Score page shows it.")
    return ALL_DONE


def _keep(found: "Calibration | DetectionReport", folder: Path) -> bool:
    """Write it beside the run; whether that could be done, which is no reason to lose it."""
    try:
        found.write(folder)
    except OSError as error:
        say(f"Not kept beside the run: {error}")
        return False
    return True


def _images_in(folder: Path, run: Run, limit: int) -> "Tensor":
    """The first images of a folder or .zip that can be read, uint8 (N, C, H, W).

    Raises:
        ImageError: if there are none.
    """
    import torch

    from vae_core.decoding import printable
    from vae_core.images import ImageError, iter_files, prepare

    found = []
    for name, content in iter_files([folder]):
        if len(found) == limit:
            break
        try:
            if isinstance(content, ImageError):
                raise content
            shape = run.config.model.image_shape
            found.append(prepare(content, name, shape, dataset=run.config.dataset).pixels)
        except ImageError as error:
            say(f"{name}: {error}")
    if not found:
        raise ImageError(f"{printable(str(folder))} holds no image that can be read.")
    return torch.stack(found)


def _print_detection(report: "DetectionReport") -> None:
    from vae_core.decoding import printable
    from vae_core.detection import SCORES
    from vae_core.detection_words import findings

    print(
        f"Called unlike the training data: {report.false_alarms:.1%} of {report.own_images} test "
        f"images, by a verdict made for {report.level:.0%}; foreign images as in the second column."
        f" Seed {report.seed}.\nAUROC / AUPR / FPR at 95 % TPR of each score:\n"
    )
    print(f"{'kind':13}{'images':>7}{'unlike':>8}  " + "".join(f"{name:>23}" for name in SCORES))
    for kind, found in report.kinds.items():
        cells = (found.scores[name] for name in SCORES)
        row = "".join(f"{f'{c.auroc:.3f}/{c.aupr:.3f}/{c.fpr_at_95_tpr:.3f}':>23}" for c in cells)
        print(f"{printable(kind):13}{found.images:7}{found.called_unlike:8.1%}  {row}")
    print("\n" + "\n".join(findings(report)))

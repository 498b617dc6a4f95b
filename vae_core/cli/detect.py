"""``detect``: test how well the scores of a model detect foreign images."""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from vae_core.cli.options import add_settings, options_of
from vae_core.cli.shared import (
    ALL_DONE,
    a_path,
    add_run,
    open_model,
    print_json,
    report_share,
    say,
    tell,
)
from vae_core.runs.own_data import dataset_of
from vae_core.settings.fields import ConfigError
from vae_core.settings.options import DetectOptions

if TYPE_CHECKING:
    from vae_core.scoring.detection import DetectionReport


def add_detect(commands: Any) -> None:
    about = "test how well scores detect foreign images (out-of-distribution detection)"
    parser = commands.add_parser(
        "detect",
        help=about,
        description=f"{about.capitalize()}. Without --foreign, and with 50 test images or more, "
        "the figures are saved in the run's folder as detection.json, and the Score page of the "
        "app shows them.",
    )
    add_run(parser)
    add_settings(parser, DetectOptions)
    parser.add_argument(
        "--foreign",
        "--folder",
        dest="folder",
        type=a_path,
        action="append",
        default=[],
        metavar="SOURCE",
        help="foreign images of your own: a folder, an archive, an array file, or the name of a "
        "data set, whose test images are taken; may be given more than once",
    )
    parser.add_argument(
        "--missing",
        action="store_true",
        help="add the kinds that the saved report lacks, as one of an older version does, with its "
        "test images and seed; its other figures stay as they are",
    )
    parser.set_defaults(command=detect)


def detect(given: argparse.Namespace) -> int:
    """Test the scores of a model on images unlike its training data."""
    run, model = open_model(given)
    from vae_core.basics.progress import result_of
    from vae_core.runs.judging import completed_detection_steps, new_detection_steps
    from vae_core.runs.records import DETECTION_FILE, calibration_of
    from vae_core.scoring.foreign_sources import source_images

    if given.missing and given.folder:
        raise ConfigError("--missing adds kinds that need no images of yours: leave out --foreign.")
    if given.missing and options_of(given, DetectOptions) != DetectOptions():
        raise ConfigError(
            "--missing takes the test images and the seed of the saved report: leave out --limit "
            "and --seed."
        )
    data = dataset_of(run)
    if calibration_of(run) is None:
        say("No calibration: making one.")
    shape, info = run.config.model.image_shape, run.config.info
    own_kinds = {
        _kind_of(source): source_images(source, given.limit, shape, info, say)
        for source in map(str, given.folder)
    }
    steps = (
        completed_detection_steps(run, model, data)
        if given.missing
        else new_detection_steps(run, model, data, given.limit, given.seed, own_kinds)
    )
    kept = result_of(steps, report_share)
    if given.json:
        print_json({"run": str(given.run)} | dataclasses.asdict(kept.record))
    else:
        _print_detection(kept.record)
    if kept.not_kept:
        say(f"Not saved in the run's folder: {kept.not_kept}")
    else:
        say(f"Saved as {run.folder / DETECTION_FILE}; the Score page shows it.")
    return ALL_DONE


def _kind_of(source: str) -> str:
    """The name of a source in the report, which is no name of another kind."""
    from vae_core.scoring.detection import OWN
    from vae_core.scoring.foreign import KINDS

    return f"./{source}" if source in (OWN, *KINDS) else source


def _print_detection(report: "DetectionReport") -> None:
    from vae_core.basics.text import printable
    from vae_core.scoring.detection import SCORES
    from vae_core.wording.detection import findings

    tell(
        f"Called unlike the training data: {report.false_alarms:.1%} of {report.own_images} test "
        f"images (the verdict aims at {report.level:.0%}); foreign images: see the second column. "
        f"Seed {report.seed}.\nAUROC / AUPR / FPR at 95 % TPR of each score:\n"
    )
    tell(f"{'kind':13}{'images':>7}{'unlike':>8}  " + "".join(f"{name:>23}" for name in SCORES))
    for kind, found in report.kinds.items():
        cells = (found.scores[name] for name in SCORES)
        row = "".join(f"{f'{c.auroc:.3f}/{c.aupr:.3f}/{c.fpr_at_95_tpr:.3f}':>23}" for c in cells)
        tell(f"{printable(kind):13}{found.images:7}{found.called_unlike:8.1%}  {row}")
    tell("\n" + "\n".join(findings(report)))

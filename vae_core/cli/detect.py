"""``detect``: how well the scores of a model tell foreign images from its own."""

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_core.cli.shared import (
    ALL_DONE,
    open_model,
    print_json,
    report_share,
    say,
)
from vae_core.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor

    from vae_core.scoring.detection import DetectionReport
from vae_core.cli.calibrate import add_own_images, calibrated, fewest, keep

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
    add_own_images(parser, "test")
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
    from vae_core.basics.progress import finish
    from vae_core.data.datasets import load_dataset
    from vae_core.runs.records import DETECTION_FILE, calibration_of
    from vae_core.scoring.calibration import IMAGES
    from vae_core.scoring.detection import FEWEST_IMAGES, detection_steps

    data, calibration = load_dataset(run.config.dataset), calibration_of(run)
    if calibration is None:
        say("No calibration: making one.")
        calibration = calibrated(run, model, data, IMAGES, 0)
        keep(calibration, run.folder)
    own_kinds = {str(folder): _images_in(folder, run, given.limit) for folder in given.folder}
    steps = detection_steps(model, data, calibration, given.limit, given.seed, own_kinds)
    report = finish(steps, report_share)
    if given.json:
        print_json({"run": str(given.run)} | dataclasses.asdict(report))
    else:
        _print_detection(report)
    if given.folder:
        say("Not kept beside the run: it says something of your folders.")
    elif report.own_images < (smallest := fewest(FEWEST_IMAGES, data, "test")):
        say(f"Not kept beside the run: of {report.own_images} own images, not {smallest} or more.")
    elif keep(report, run.folder):
        say(f"Kept as {run.folder / DETECTION_FILE}; the Score page shows it.")
    return ALL_DONE


def _images_in(folder: Path, run: Run, limit: int) -> "Tensor":
    """The first images of a folder or .zip that can be read, uint8 (N, C, H, W).

    Raises:
        ImageError: if there are none.
    """
    import torch

    from vae_core.data.archives import iter_files
    from vae_core.data.decode import ImageError, printable
    from vae_core.data.prepare import prepare

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
    from vae_core.data.decode import printable
    from vae_core.scoring.detection import SCORES
    from vae_core.wording.detection import findings

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

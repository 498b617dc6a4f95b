"""``calibrate``: measure held-out images, with which scores are compared."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    a_positive,
    a_seed,
    open_model,
    print_json,
    report_share,
    say,
)
from vae_core.runs.run import Run
from vae_core.settings.data_sets import Split
from vae_core.settings.fields import ConfigError

if TYPE_CHECKING:
    from vae_core.data.datasets import Dataset
    from vae_core.scoring.calibration import Calibration
    from vae_core.scoring.detection import DetectionReport


# ---- calibrate


def add_calibrate(commands: Any) -> None:
    about = "measure what a run's scores are judged by"
    parser = commands.add_parser(
        "calibrate",
        help=about,
        description=f"{about.capitalize()}, and keep it beside the run, as "
        "calibration.safetensors. It takes 100 validation images or more, where there are so many.",
    )
    add_own_images(parser, "validation")
    parser.set_defaults(command=calibrate)


def add_own_images(parser: argparse.ArgumentParser, split: str) -> None:
    parser.add_argument(
        "run", type=Path, metavar="DIR", help="folder or id of the run, or pretrained/NAME"
    )
    parser.add_argument(
        "--limit", type=a_positive, default=500, help=f"{split} images, at most (default 500)"
    )
    parser.add_argument("--seed", type=a_seed, default=0, help="of every draw (default 0)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def calibrate(given: argparse.Namespace) -> int:
    """Measure held-out images and keep the figures beside the run, if its folder can be written."""
    run, model = open_model(given)
    from vae_core.data.datasets import load_dataset
    from vae_core.data.decode import printable
    from vae_core.scoring.calibration import FEWEST_IMAGES

    data = load_dataset(run.config.dataset)
    smallest = fewest(FEWEST_IMAGES, data, "validation")
    if given.limit < smallest:
        raise ConfigError(
            f"--limit {given.limit} makes too coarse a calibration, so none was written; give "
            f"{smallest} or more."
        )
    calibration = calibrated(run, model, data, given.limit, given.seed)
    kept = keep(calibration, run.folder)
    accuracy = calibration.classifier.accuracy
    if given.json:
        print_json({"run": str(given.run), "class_accuracy": accuracy, **calibration.protocol})
    else:
        print(f"{printable(run.name)}: {_calibration_words(calibration)}")
    return ALL_DONE if kept else NOT_ALL_DONE


def keep(found: "Calibration | DetectionReport", folder: Path) -> bool:
    """Write a record beside its run; say so if that cannot be done, and return whether it was."""
    from vae_core.runs.records import write_record

    try:
        write_record(found, folder)
    except OSError as error:
        say(f"Not kept beside the run: {error}")
        return False
    return True


def fewest(wanted: int, data: "Dataset", split: Split) -> int:
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


def calibrated(run: Run, model: Any, data: "Dataset", images: int, seed: int) -> "Calibration":
    from vae_core.basics.progress import finish
    from vae_core.runs.records import calibrate_steps

    return finish(calibrate_steps(run, model, data, images, seed), report_share)

"""``calibrate``: measure held-out images, the reference for scores."""

import argparse
from typing import TYPE_CHECKING, Any

from vae_core.cli.options import add_settings
from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    add_run,
    open_model,
    print_json,
    report_share,
    say,
    tell,
)
from vae_core.runs.own_data import dataset_of
from vae_core.runs.run import Run
from vae_core.settings.fields import ConfigError
from vae_core.settings.options import CalibrateOptions

if TYPE_CHECKING:
    from vae_core.scoring.calibration import Calibration


def add_calibrate(commands: Any) -> None:
    about = "measure held-out images, the reference for scores"
    parser = commands.add_parser(
        "calibrate",
        help=about,
        description=f"{about.capitalize()}. The result is saved in the run's folder as "
        "calibration.safetensors. At least 100 validation images are needed (or all, if the data "
        "set has fewer).",
    )
    add_run(parser)
    add_settings(parser, CalibrateOptions)
    parser.set_defaults(command=calibrate)


def calibrate(given: argparse.Namespace) -> int:
    """Measure held-out images and save the figures in the run's folder, if it is writable."""
    run, model = open_model(given)
    from vae_core.basics.progress import result_of
    from vae_core.basics.text import printable
    from vae_core.runs.judging import fewest, new_calibration_steps
    from vae_core.runs.kept_examples import renew_examples
    from vae_core.scoring.calibration import FEWEST_IMAGES

    data = dataset_of(run)
    smallest = fewest(FEWEST_IMAGES, data, "validation")
    if given.limit < smallest:
        raise ConfigError(
            f"--limit {given.limit} makes the calibration too coarse, so none was written; use "
            f"{smallest} or more."
        )
    steps = new_calibration_steps(run, model, data, given.limit, given.seed)
    kept = result_of(steps, report_share)
    calibration = kept.record
    if not kept.not_kept:
        renew_examples(run, model, data, calibration)
    accuracy = calibration.classifier.accuracy if calibration.has_classes else None
    if given.json:
        print_json({"run": str(given.run), "class_accuracy": accuracy, **calibration.protocol})
    else:
        tell(f"{printable(run.name)}: {_calibration_words(calibration)}")
    if kept.not_kept:
        say(f"Not saved in the run's folder: {kept.not_kept}")
        return NOT_ALL_DONE
    return ALL_DONE


def _calibration_words(calibration: "Calibration") -> str:
    about = calibration.protocol
    head = about.get("class_head_accuracy")
    by_head = "" if head is None else f", the class head in {head:.1%}"
    done = f"calibrated with {about['images']} images of {about['dataset']} {about['split']}"
    if not calibration.has_classes:
        return f"{done}."
    return (
        f"{done}; a logistic regression on the latent has the right class in "
        f"{calibration.classifier.accuracy:.1%} of them{by_head}."
    )


def current_calibration(run: Run, model: Any) -> "Calibration":
    """Read the calibration of a run; if no current one exists, make it and print a message.

    Raises:
        DataError, DownloadError: if the images for it are not on this computer.
        RunError: if the calibration is damaged.
    """
    from vae_core.basics.progress import result_of
    from vae_core.runs.judging import new_calibration_steps
    from vae_core.runs.records import CALIBRATION_FILE, calibration_of

    found = calibration_of(run)
    if found is not None:
        return found
    data = dataset_of(run)
    say("No calibration: making one.")
    kept = result_of(new_calibration_steps(run, model, data), report_share)
    if kept.not_kept:
        say(f"The calibration is used now, but not saved in the run's folder: {kept.not_kept}")
    else:
        say(f"Saved as {run.folder / CALIBRATION_FILE}.")
    return kept.record

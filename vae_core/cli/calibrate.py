"""``calibrate``: measure held-out images, with which scores are compared."""

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
)
from vae_core.runs.run import Run
from vae_core.settings.fields import ConfigError
from vae_core.settings.options import CalibrateOptions

if TYPE_CHECKING:
    from vae_core.scoring.calibration import Calibration


def add_calibrate(commands: Any) -> None:
    about = "measure what a run's scores are judged by"
    parser = commands.add_parser(
        "calibrate",
        help=about,
        description=f"{about.capitalize()}, and keep it beside the run, as "
        "calibration.safetensors. It takes 100 validation images or more, where there are so many.",
    )
    add_run(parser)
    add_settings(parser, CalibrateOptions)
    parser.set_defaults(command=calibrate)


def calibrate(given: argparse.Namespace) -> int:
    """Measure held-out images and keep the figures beside the run, if its folder can be written."""
    run, model = open_model(given)
    from vae_core.basics.progress import result_of
    from vae_core.data.datasets import load_dataset
    from vae_core.data.decode import printable
    from vae_core.runs.judging import fewest, new_calibration_steps
    from vae_core.scoring.calibration import FEWEST_IMAGES

    data = load_dataset(run.config.dataset)
    smallest = fewest(FEWEST_IMAGES, data, "validation")
    if given.limit < smallest:
        raise ConfigError(
            f"--limit {given.limit} makes too coarse a calibration, so none was written; give "
            f"{smallest} or more."
        )
    steps = new_calibration_steps(run, model, data, given.limit, given.seed)
    kept = result_of(steps, report_share)
    calibration = kept.record
    accuracy = calibration.classifier.accuracy
    if given.json:
        print_json({"run": str(given.run), "class_accuracy": accuracy, **calibration.protocol})
    else:
        print(f"{printable(run.name)}: {_calibration_words(calibration)}")
    if kept.not_kept:
        say(f"Not kept beside the run: {kept.not_kept}")
        return NOT_ALL_DONE
    return ALL_DONE


def _calibration_words(calibration: "Calibration") -> str:
    about = calibration.protocol
    head = about.get("class_head_accuracy")
    by_head = "" if head is None else f", the class head in {head:.1%}"
    return (
        f"calibrated by {about['images']} images of {about['dataset']} {about['split']}; a "
        f"logistic regression on the latent has the right class in "
        f"{calibration.classifier.accuracy:.1%} of them{by_head}."
    )


def current_calibration(run: Run, model: Any) -> "Calibration":
    """Read the calibration of a run; make it first where there is no current one, and say so.

    Raises:
        DataError, DownloadError: if the images that it takes are not on this computer.
        RunError: if the calibration is damaged.
    """
    from vae_core.basics.progress import result_of
    from vae_core.data.datasets import load_dataset
    from vae_core.runs.judging import new_calibration_steps
    from vae_core.runs.records import CALIBRATION_FILE, calibration_of

    found = calibration_of(run)
    if found is not None:
        return found
    data = load_dataset(run.config.dataset)
    say("No calibration: making one.")
    kept = result_of(new_calibration_steps(run, model, data), report_share)
    if kept.not_kept:
        say(f"Used this time and not kept beside the run: {kept.not_kept}")
    else:
        say(f"Kept as {run.folder / CALIBRATION_FILE}.")
    return kept.record

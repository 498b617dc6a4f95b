"""Give a run more epochs than it was begun with."""

import contextlib
import dataclasses
import json

from filelock import Timeout

from vae_core.basics.files import replace_plain
from vae_core.runs.run import (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    EVALUATION_FILE,
    HELD_OUT_FILE,
    UNFINISHED,
    Run,
    RunError,
)
from vae_core.settings.config import RunConfig
from vae_core.settings.fields import ConfigError


def with_epochs(config: RunConfig, epochs: int) -> RunConfig:
    """Copy a config with more epochs and the schedule of before.

    Training goes on with the last learning rate and the last weight of the KL. So it equals, to the
    bit, the training of a run that was begun with this config.

    Raises:
        ConfigError: if the run has that many epochs already, or the number is not allowed.
    """
    train = config.train
    if epochs <= train.epochs:
        raise ConfigError(
            f"{config.name} has {train.epochs:,} epochs already: choose a larger number of epochs."
        )
    longer = dataclasses.replace(train, epochs=epochs, schedule_epochs=train.planned_epochs)
    return dataclasses.replace(config, train=longer)


def add_epochs(run: Run, epochs: int) -> Run:
    """Raise the number of epochs of a run that does not train now. It can be resumed then.

    The final figures of the shorter training are removed; those of the longer one replace them.

    Args:
        epochs: the new number of all its epochs.

    Returns:
        The run with its new config. Its state is ``stopped``, until somebody resumes it.

    Raises:
        ConfigError: as for :func:`with_epochs`.
        RunError: if the run trains or waits, has no checkpoint, or ended by its patience. A run
            that failed before its first checkpoint begins again.
        OSError: if its folder cannot be written.
    """
    config = with_epochs(run.config, epochs)
    _check_state(run)  # before the lock, which would write into the folder of a pretrained model
    try:
        held = run.lock().acquire(timeout=2)
    except Timeout as error:
        raise RunError(f"{run.name} is training. Pause it before you add epochs.") from error
    with held:
        run.check_files()
        _check_state(run)
        run.update(state="stopped", phase="", error="")  # first: a done run is never trained
        replace_plain(run.folder / CONFIG_FILE, json.dumps(config.to_dict(), indent=2) + "\n")
        for name in (EVALUATION_FILE, HELD_OUT_FILE):
            with contextlib.suppress(FileNotFoundError):
                (run.folder / name).unlink()
    return Run(run.folder, config)


def _check_state(run: Run) -> None:
    status = run.status()
    if status.state in UNFINISHED:
        raise RunError(f"{run.name} is {status.state}. Pause it before you add epochs.")
    if status.state == "done" and status.epoch < run.config.train.epochs:
        raise RunError(
            f"{run.name} ended early, after epoch {status.epoch:,} of {run.config.train.epochs:,}, "
            "because no epoch was better for as long as its patience. More epochs would end at "
            "once: start a new run from its weights instead."
        )
    begins_again = status.state == "failed"  # before its first checkpoint
    if not (begins_again or (run.folder / CHECKPOINT_FILE).is_file()):
        raise RunError(
            f"{run.name} has no checkpoint ({CHECKPOINT_FILE}), so its training cannot continue. "
            "Start a new run from its weights instead."
        )

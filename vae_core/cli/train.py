"""``train``: train a model in this process, or continue its training."""

import argparse
from pathlib import Path
from typing import Any

from vae_core.cli.costs import costs_of
from vae_core.cli.options import add_settings
from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    a_path,
    print_json,
    say,
    tell,
)
from vae_core.runs.own_data import check_dataset
from vae_core.runs.run import Run, RunError, Status
from vae_core.runs.store import RunExists, RunStore, create_run
from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig
from vae_core.settings.fields import ConfigError, settings_of
from vae_core.settings.presets import PRESETS
from vae_core.settings.suggested import (
    augmentation_sentence,
    likelihood_sentence,
    size_sentence,
)
from vae_core.wording.evaluation import evaluation_sentence
from vae_core.wording.kept_epoch import kept_epoch_sentence
from vae_core.wording.large_run import large_run_sentence
from vae_core.wording.long_epoch import long_epoch_sentence
from vae_core.wording.training_parts import beyond_sentence, parts_sentence

# ---- train


def add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train a model, or continue its training")
    parser.add_argument("--run", type=a_path, help="folder of the run (default: a new one)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue the run in that folder; with a larger --epochs, a finished run too",
    )
    parser.add_argument("--json", action="store_true", help="print the final figures as JSON")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="start a new run that would take over a day or half of the memory",
    )
    presets = " ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())
    parser.add_argument("--preset", choices=PRESETS, help=f"settings to start from. {presets}")
    for kind in (RunConfig, ModelConfig, TrainConfig):
        add_settings(parser, kind, only_given=True)
    parser.set_defaults(command=train)


def train(given: argparse.Namespace) -> int:
    """Train in this process. Ctrl-C saves everything, and ``--resume`` continues."""
    run = _run_to_train(given)
    from vae_core.runs.execution import execute

    say(f"{run.name}: {run.folder}")
    for sentence in (likelihood_sentence, augmentation_sentence, size_sentence, _long_epoch):
        if said := sentence(run.config):
            say(said)
    state = execute(run, _ProgressLine())
    status = run.status()
    if given.json:
        print_json({"run": str(run.folder), "state": state, "evaluation": run.evaluation()})
    elif (figures := run.evaluation()) is not None:
        tell(evaluation_sentence(figures, run.config.model.likelihood))
    if parts := parts_sentence(run.config):
        say(parts)
    if kept := run.kept_epoch():
        say(kept_epoch_sentence(kept))
    if state == "failed":
        say(f"error: {status.error}")
    elif state == "paused":
        say("Paused. To continue, use --run with this folder and --resume.")
    return ALL_DONE if state == "done" else NOT_ALL_DONE


def _check_size(config: RunConfig, epochs: int | None = None) -> None:
    """Refuse a training that would take very long or much memory, and say how to start it.

    Args:
        epochs: number of epochs that it will make; by default, all of its config.

    Raises:
        RunError: for such a run.
    """
    if (found := costs_of(config)) is None:
        return
    fewer = config.train.epochs - (epochs or config.train.epochs)
    if said := large_run_sentence(found.seconds - fewer * found.epoch, *found.memory):
        raise RunError(f"{said} Add --yes to start it all the same.")


def _long_epoch(config: RunConfig) -> str | None:
    """State that an epoch would take long on this computer."""
    found = costs_of(config)
    return None if found is None else long_epoch_sentence(config, found.epoch)


def _run_to_train(given: argparse.Namespace) -> Run:
    names = (s.name for kind in (RunConfig, ModelConfig, TrainConfig) for s in settings_of(kind))
    chosen = {name: getattr(given, name) for name in names if hasattr(given, name)}
    if given.resume:
        if given.run is None:
            raise ConfigError("--resume needs --run: which run should continue?")
        if given.preset:
            raise ConfigError("--resume uses the settings of the run, so --preset is not allowed.")
        return _run_to_resume(given.run, chosen, given.yes)
    begin = PRESETS[given.preset].settings if given.preset else {}
    weights = None
    if chosen.get("start_from"):
        from vae_core.runs.warm_start import Start, start_weights

        start = Start.open(chosen["start_from"])
        config = RunConfig.from_settings(
            {**start.settings, **begin, **chosen, "start_from": start.name}
        )
        weights = start_weights(config, start.model)
    else:
        config = RunConfig.from_settings({**begin, **chosen})
    if not given.yes:
        _check_size(config)
    if config.decoder_of:
        from vae_core.runs.execution import check_decoder

        check_decoder(config)
    if given.run is None:
        # the background worker ignores paused runs
        return RunStore().create(config, "paused", weights)
    try:
        return create_run(given.run, config, "paused", weights)
    except RunExists as error:
        raise ConfigError(f"{error} Add --resume to continue it, or use another.") from error


def _run_to_resume(folder: Path, chosen: dict[str, Any], is_meant: bool) -> Run:
    run = Run.open(folder)
    settings = run.config.settings()
    is_longer = chosen.get("epochs", 0) > settings["epochs"]
    changed = [name for name, value in chosen.items() if settings[name] != value]
    if is_longer:
        changed.remove("epochs")
    if changed:
        raise ConfigError(
            f"The run in {folder} has {changed[0]} = {settings[changed[0]]}, not "
            f"{chosen[changed[0]]}. A run keeps its settings, but it can get more epochs; start "
            "another run for new settings."
        )
    check_dataset(run, every_byte=True)
    if is_longer:
        run = _with_more_epochs(run, chosen["epochs"], is_meant)
    if not run.is_alive():
        run.clear_request()
    return run


def _with_more_epochs(run: Run, epochs: int, is_meant: bool) -> Run:
    """Add epochs to a run, and say how its training goes on.

    Raises:
        RunError: if they would take very long and ``--yes`` was not given.
    """
    from vae_core.runs.more_epochs import add_epochs, with_epochs

    longer = with_epochs(run.config, epochs)
    if not is_meant:
        _check_size(longer, epochs - min(run.status().epoch, epochs - 1))
    run = add_epochs(run, epochs)
    say(beyond_sentence(run.config.train))
    return run


class _ProgressLine:
    """Print at most one line on stderr for each epoch or phase."""

    def __init__(self) -> None:
        self.last: tuple[int, str] | None = None

    def __call__(self, status: Status) -> None:
        now = (status.epoch, status.phase)
        if now != self.last and status.phase:
            self.last = now
            terms = ", ".join(f"{name} {value:.2f}" for name, value in status.terms.items())
            epoch = f", epoch {status.epoch}" if status.epoch else ""
            say(f"{status.phase}{epoch}{', ' + terms if terms else ''}")

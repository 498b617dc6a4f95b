"""The command line: ``python -m vae_core train | evaluate | gap | score | calibrate |
detect | sample | runs``.

Exit status: 0 when all was done, 1 when something could not be read or failed, 2 for wrong usage,
130 after Ctrl-C (a training that Ctrl-C pauses has 1).
With ``--json``, stdout is one JSON object; progress goes to stderr.
"""

import argparse
import dataclasses
import io
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from vae_core.choices import ProposalName
from vae_core.commands import (
    ALL_DONE,
    INTERRUPTED,
    MAX_SAMPLED_IMAGES,
    NOT_ALL_DONE,
    WRONG_USAGE,
    a_positive,
    a_seed,
    add_scoring_options,
    an_image_count,
    binarisation_of,
    open_model,
    print_json,
    report_share,
    say,
)
from vae_core.config import (
    Binarisation,
    ConfigError,
    ModelConfig,
    RunConfig,
    Setting,
    Split,
    TrainConfig,
    pixels_as,
    settings_of,
)
from vae_core.presets import PRESETS
from vae_core.runs import DamagedRun, Run, RunError, RunStore, Status, create_run
from vae_core.score_commands import add_calibrate, add_detect, add_score

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    try:
        given = _parser().parse_args(arguments)
        return given.command(given)
    except ConfigError as error:
        say(f"error: {error}")
        return WRONG_USAGE
    except (RunError, OSError, ValueError, RuntimeError) as error:
        say(f"error: {error}")
        return NOT_ALL_DONE
    except KeyboardInterrupt as stop:
        say("\n" * sys.stderr.isatty() + (str(stop) or "Stopped before it was done."))
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vae_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_gap(commands)
    add_score(commands)
    add_calibrate(commands)
    add_detect(commands)
    _add_sample(commands)
    runs = commands.add_parser("runs", help="list the runs of the store")
    runs.add_argument("--json", action="store_true", help="print one JSON object")
    runs.set_defaults(command=list_runs)
    return parser


# ---- train


def _add_train(commands: Any) -> None:
    parser = commands.add_parser("train", help="train a model, or go on training one")
    parser.add_argument("--run", type=Path, help="folder of the run (default: a new one)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    parser.add_argument("--json", action="store_true", help="print the final figures as JSON")
    presets = " ".join(f"{name}: {preset.about}" for name, preset in PRESETS.items())
    parser.add_argument("--preset", choices=PRESETS, help=f"settings to start from. {presets}")
    for kind in (RunConfig, ModelConfig, TrainConfig):
        for each in settings_of(kind):
            parser.add_argument(f"--{each.name.replace('_', '-')}", **_argument_of(each))
    parser.set_defaults(command=train)


def _argument_of(about: Setting) -> dict[str, Any]:
    described = f"{about.help} Default: {about.default or 'none'}.".replace("%", "%%")
    options: dict[str, Any] = {"default": argparse.SUPPRESS, "help": described, "type": about.kind}
    if about.choices:
        options["choices"] = about.choices
    return options


def train(given: argparse.Namespace) -> int:
    """Train in this process; Ctrl-C keeps everything, and ``--resume`` goes on."""
    run = _run_to_train(given)
    from vae_core.execution import execute

    say(f"{run.name}: {run.folder}")
    state = execute(run, _ProgressLine())
    status = run.status()
    if given.json:
        print_json({"run": str(run.folder), "state": state, "evaluation": run.evaluation()})
    elif (figures := run.evaluation()) is not None:
        print(_sentence(run, figures))
    if state == "failed":
        say(f"error: {status.error}")
    elif state == "paused":
        say("Paused. The same command with --resume goes on from here.")
    return ALL_DONE if state == "done" else NOT_ALL_DONE


def _run_to_train(given: argparse.Namespace) -> Run:
    names = (s.name for kind in (RunConfig, ModelConfig, TrainConfig) for s in settings_of(kind))
    chosen = {name: getattr(given, name) for name in names if hasattr(given, name)}
    if given.resume:
        if given.run is None:
            raise ConfigError("--resume needs --run: which run should go on?")
        if given.preset:
            raise ConfigError("--resume goes on with the settings of the run, without --preset.")
        return _run_to_resume(given.run, chosen)
    start = PRESETS[given.preset].settings if given.preset else {}
    config = RunConfig.from_settings({**start, **chosen})
    if config.decoder_of:
        from vae_core.execution import check_decoder

        check_decoder(config)
    if given.run is None:
        return RunStore().create(config, "paused")  # which the worker leaves alone
    try:
        return create_run(given.run, config, "paused")
    except FileExistsError as error:
        raise ConfigError(f"{error} Add --resume to go on with it, or name another.") from error


def _run_to_resume(folder: Path, chosen: dict[str, Any]) -> Run:
    run = Run.open(folder)
    settings = run.config.settings()
    changed = [name for name, value in chosen.items() if settings[name] != value]
    if changed:
        raise ConfigError(
            f"The run in {folder} has {changed[0]} = {settings[changed[0]]}, not "
            f"{chosen[changed[0]]}. A run keeps its settings; start another for new ones."
        )
    if not run.is_alive():
        run.clear_request()
    return run


class _ProgressLine:
    """One line on stderr, at most, for each epoch or phase."""

    def __init__(self) -> None:
        self.last: tuple[int, str] | None = None

    def __call__(self, status: Status) -> None:
        now = (status.epoch, status.phase)
        if now != self.last and status.phase:
            self.last = now
            terms = ", ".join(f"{name} {value:.2f}" for name, value in status.terms.items())
            epoch = f", epoch {status.epoch}" if status.epoch else ""
            say(f"{status.phase}{epoch}{', ' + terms if terms else ''}")


# ---- evaluate


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="figures of a model on a split of its data")
    _add_split_options(parser)
    parser.add_argument(
        "--proposal",
        choices=get_args(ProposalName),
        default="encoder",
        help="what to draw importance samples from: the encoder's q(z|x), or one refined for each "
        "image, which brings log p(x) and its error closer to the truth (default encoder)",
    )
    add_scoring_options(parser, 500)
    parser.set_defaults(command=evaluate)


def _add_gap(commands: Any) -> None:
    parser = commands.add_parser("gap", help="log p(x) - ELBO as approximation and amortisation")
    _add_split_options(parser)
    add_scoring_options(parser, 5000)
    parser.set_defaults(command=gap)


def _add_split_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument("--split", choices=get_args(Split), default="test", help="which images")
    parser.add_argument(
        "--limit", type=a_positive, default=None, help="use only the first so many images"
    )
    parser.add_argument(
        "--binarisation",
        choices=get_args(Binarisation),
        default=None,
        help="protocol (default: the one it was trained with)",
    )


def evaluate(given: argparse.Namespace) -> int:
    """ELBO, its terms and log p̂(x) on a split, with their protocol."""
    from vae_core.evaluation import evaluate as measure

    run, (figures, _) = _on_split(given, partial(measure, proposal=given.proposal))
    if given.json:
        print_json(figures)
    else:
        print(_sentence(run, figures))
    return ALL_DONE


def gap(given: argparse.Namespace) -> int:
    """The gap log p(x) − ELBO taken apart, on a split, with its protocol."""
    from vae_core.gap_evaluation import evaluate_gap

    run, figures = _on_split(given, evaluate_gap)
    if given.json:
        print_json(figures)
    else:
        pixels = pixels_as(figures["binarisation"], run.config.model.likelihood)
        print(
            f"gap {figures['gap']:.3f} = approximation {figures['approximation']:.3f} ± "
            f"{figures['approximation_se']:.3f} + amortisation {figures['amortisation']:.3f} ± "
            f"{figures['amortisation_se']:.3f} nats; log p(x) = {figures['log_px']:.2f} by "
            f"{figures['log_px_by']} ({figures['images']} images of {figures['dataset']} "
            f"{figures['split']}, {pixels}, seed {figures['seed']})"
        )
    return ALL_DONE


def _on_split(given: argparse.Namespace, measure: Callable[..., T]) -> tuple[Run, T]:
    """The run, and what is measured of its model on the images that the command names."""
    run, model = open_model(given)
    from vae_core.datasets import load_dataset

    return run, measure(
        model,
        load_dataset(run.config.dataset),
        given.split,
        binarisation_of(given, run),
        given.importance_samples,
        given.limit,
        given.seed,
        report_share,
    )


_DRAWN_FROM = {"encoder": "the encoder's q(z|x)", "refined": "a q refined for each image"}


def _sentence(run: Run, figures: dict[str, Any]) -> str:
    drawn_from = _DRAWN_FROM[figures.get("proposal", "encoder")]
    pixels = pixels_as(figures["binarisation"], run.config.model.likelihood)
    return (
        f"log p(x) = {figures['log_px']:.2f} ± {figures['log_px_se']:.2f} nats, "
        f"ELBO = {figures['elbo']:.2f} ± {figures['elbo_se']:.2f} nats "
        f"(K = {figures['importance_samples']} from {drawn_from}, "
        f"{figures['images']} images of {figures['dataset']} {figures['split']}, {pixels}, "
        f"seed {figures['seed']})"
    )


# ---- sample


def _add_sample(commands: Any) -> None:
    parser = commands.add_parser("sample", help="draw images from the model")
    parser.add_argument("run", type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument(
        "--count",
        type=an_image_count,
        default=64,
        help=f"how many images, up to {MAX_SAMPLED_IMAGES:,} (default 64)",
    )
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    parser.add_argument(
        "--seed", type=a_seed, default=0, help="the same seed draws the same images"
    )
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.set_defaults(command=sample)


def sample(given: argparse.Namespace) -> int:
    """Write one picture of ``--count`` images E[x|z], z drawn from the prior."""
    _, model = open_model(given)
    import torch

    from vae_core.images import write_tiles

    images = model.sample(given.count, torch.Generator(model.device).manual_seed(given.seed))
    write_tiles(images.cpu(), given.out)
    say(f"{given.count} images in {given.out}")
    return ALL_DONE


# ---- runs


def list_runs(given: argparse.Namespace) -> int:
    """The runs of the store, newest first."""
    from vae_core.decoding import printable

    rows = [_run_row(entry) for entry in RunStore().entries()]
    if given.json:
        print_json({"store": str(RunStore().folder), "runs": rows})
    else:
        for row in rows:
            named = printable(row.get("name") or row["error"])
            print(f"{row['id']}  {row['state']:8}  {named}")
    return ALL_DONE if all(row["state"] != "damaged" for row in rows) else NOT_ALL_DONE


def _run_row(entry: Run | DamagedRun) -> dict[str, Any]:
    if isinstance(entry, DamagedRun):
        return {"id": entry.folder.name, "state": "damaged", "error": entry.reason}
    try:
        return {
            "id": entry.id,
            "name": entry.name,
            "folder": str(entry.folder),
            **dataclasses.asdict(entry.status()),
            "evaluation": entry.evaluation(),
        }
    except RunError as error:
        return _run_row(DamagedRun(entry.folder, str(error)))


def _run_as_program() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no σ is worth losing the rest for
    sys.exit(main())


if __name__ == "__main__":
    _run_as_program()

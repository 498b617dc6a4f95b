"""The command line: ``python -m vae_core train | evaluate | score | sample | runs``.

Exit status: 0 when all was done, 1 when something could not be read or failed, 2 for wrong usage.
With ``--json``, stdout is one JSON object; progress goes to stderr.
"""

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from vae_core.config import (
    MAX_IMPORTANCE_SAMPLES,
    Binarisation,
    ConfigError,
    ModelConfig,
    RunConfig,
    Setting,
    Split,
    TrainConfig,
    settings_of,
)
from vae_core.runs import DamagedRun, Run, RunError, RunStore, Status, create_run

ALL_DONE, NOT_ALL_DONE, WRONG_USAGE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    given = _parser().parse_args(arguments)
    try:
        return given.command(given)
    except ConfigError as error:
        _say(f"error: {error}")
        return WRONG_USAGE
    except (RunError, OSError, ValueError, RuntimeError) as error:
        _say(f"error: {error}")
        return NOT_ALL_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m vae_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_train(commands)
    _add_evaluate(commands)
    _add_score(commands)
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

    _say(f"{run.name}: {run.folder}")
    state = execute(run, _ProgressLine())
    status = run.status()
    if given.json:
        _print_json({"run": str(run.folder), "state": state, "evaluation": run.evaluation()})
    elif (figures := run.evaluation()) is not None:
        print(_sentence(figures))
    if state == "failed":
        _say(f"error: {status.error}")
    elif state == "paused":
        _say("Paused. The same command with --resume goes on from here.")
    return ALL_DONE if state == "done" else NOT_ALL_DONE


def _run_to_train(given: argparse.Namespace) -> Run:
    names = (s.name for kind in (RunConfig, ModelConfig, TrainConfig) for s in settings_of(kind))
    chosen = {name: getattr(given, name) for name in names if hasattr(given, name)}
    if given.resume:
        if given.run is None:
            raise ConfigError("--resume needs --run: which run should go on?")
        return _run_to_resume(given.run, chosen)
    config = RunConfig.from_settings(chosen)
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
            _say(f"{status.phase}{epoch}{', ' + terms if terms else ''}")


# ---- evaluate


def _add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="figures of a model on a split of its data")
    parser.add_argument("run", type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument("--split", choices=get_args(Split), default="test", help="which images")
    parser.add_argument(
        "--limit", type=_positive, default=None, help="use only the first so many images"
    )
    parser.add_argument(
        "--binarisation",
        choices=get_args(Binarisation),
        default=None,
        help="protocol (default: the one it was trained with)",
    )
    _add_scoring_options(parser, 500)
    parser.set_defaults(command=evaluate)


def evaluate(given: argparse.Namespace) -> int:
    """ELBO, its terms and log p̂(x) on a split, with their protocol."""
    run, model = _open_model(given)
    from vae_core.datasets import load_dataset
    from vae_core.evaluation import evaluate as evaluate_model

    figures, _ = evaluate_model(
        model,
        load_dataset(run.config.dataset),
        given.split,
        given.binarisation or run.config.train.binarisation,
        given.importance_samples,
        given.limit,
        given.seed,
        _report_share,
    )
    if given.json:
        _print_json(figures)
    else:
        print(_sentence(figures))
    return ALL_DONE


def _sentence(figures: dict[str, Any]) -> str:
    return (
        f"log p(x) = {figures['log_px']:.2f} ± {figures['log_px_se']:.2f} nats, "
        f"ELBO = {figures['elbo']:.2f} ± {figures['elbo_se']:.2f} nats "
        f"(K = {figures['importance_samples']}, {figures['images']} images of "
        f"{figures['dataset']} {figures['split']}, {figures['binarisation']} binarisation, "
        f"seed {figures['seed']})"
    )


# ---- score


def _add_score(commands: Any) -> None:
    parser = commands.add_parser("score", help="log p(x) of images of your own")
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
    _add_scoring_options(parser, 1000)
    parser.set_defaults(command=score)


def score(given: argparse.Namespace) -> int:
    """Score files, folders and .zip archives; files that cannot be read are named."""
    run, model = _open_model(given)
    from vae_core.images import PrepareOptions, iter_files
    from vae_core.scoring import HeldOut, as_row, score_files

    binarisation = given.binarisation or run.config.train.binarisation
    options = PrepareOptions(given.invert, given.contrast, given.crop, given.centre)
    results = []
    for result in score_files(
        model,
        iter_files(given.images),
        given.importance_samples,
        binarisation,
        HeldOut.of(run),
        options,
        given.seed,
        run.config.dataset,
    ):
        results.append(as_row(result))
        _say(f"{len(results)} files")
    if given.json:
        _print_json(
            {
                "run": str(given.run),
                "binarisation": binarisation,
                "importance_samples": given.importance_samples,
                "seed": given.seed,
                "images": results,
            }
        )
    else:
        for row in results:
            print(_score_line(row))
    return ALL_DONE if results and all(row["ok"] for row in results) else NOT_ALL_DONE


def _score_line(row: dict[str, Any]) -> str:
    if not row["ok"]:
        return f"{row['file']}: {row['error']}"
    place = "" if row["percentile"] is None else f", percentile {row['percentile']:.0f}"
    return (
        f"{row['file']}: log p(x) = {row['log_px']:.2f} ± {row['se']:.2f} nats, ESS "
        f"{row['ess']:.0f}, Pareto k {row['pareto_k']:.2f}, "
        f"{row['bits_per_dim']:.3f} bits/dim{place}"
    )


# ---- sample


def _add_sample(commands: Any) -> None:
    parser = commands.add_parser("sample", help="draw images from the model")
    parser.add_argument("run", type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument("--count", type=_positive, default=64, help="how many images")
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    parser.add_argument("--seed", type=_seed, default=0, help="the same seed draws the same images")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.set_defaults(command=sample)


def sample(given: argparse.Namespace) -> int:
    """Write one picture of ``--count`` images E[x|z], z drawn from the prior."""
    _, model = _open_model(given)
    import torch

    from vae_core.images import write_tiles

    images = model.sample(given.count, torch.Generator(model.device).manual_seed(given.seed))
    write_tiles(images.cpu(), given.out)
    _say(f"{given.count} images in {given.out}")
    return ALL_DONE


# ---- runs


def list_runs(given: argparse.Namespace) -> int:
    """The runs of the store, newest first."""
    rows = [_run_row(entry) for entry in RunStore().entries()]
    if given.json:
        _print_json({"store": str(RunStore().folder), "runs": rows})
    else:
        for row in rows:
            print(f"{row['id']}  {row['state']:8}  {row.get('name', row.get('error'))}")
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


# ---- shared


def _add_scoring_options(parser: argparse.ArgumentParser, importance_samples: int) -> None:
    parser.add_argument(
        "--importance-samples",
        type=_sample_count,
        default=importance_samples,
        help=f"K, up to {MAX_IMPORTANCE_SAMPLES:,} (default {importance_samples})",
    )
    parser.add_argument("--seed", type=_seed, default=0, help="of every draw (default 0)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _open_model(given: argparse.Namespace) -> tuple[Run, Any]:
    run = Run.open(given.run)
    from vae_core.devices import resolve_device
    from vae_core.vae import load_model

    return run, load_model(run.folder, resolve_device(given.device))


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return value


def _sample_count(text: str) -> int:
    value = _positive(text)
    if value > MAX_IMPORTANCE_SAMPLES:
        raise argparse.ArgumentTypeError(f"must be at most {MAX_IMPORTANCE_SAMPLES:,}, not {text}")
    return value


def _seed(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**31:
        raise argparse.ArgumentTypeError(f"must be 0 to {2**31 - 1:,}, not {text}")
    return value


def _report_share(share: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{share:4.0%}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _print_json(value: Any) -> None:
    print(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    """JSON has no NaN or infinity: they become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value


def _run_as_program() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    _run_as_program()

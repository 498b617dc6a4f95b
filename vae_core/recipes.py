"""The models that come with the program: how they are trained, and how a run becomes one of them.

``python -m vae_core.recipes`` makes all of them again; with names, only those. An interrupted
training goes on when the command is given again.
"""

import argparse
import dataclasses
import json
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_core.config import POSTERIORS, PosteriorName, RunConfig
from vae_core.files import replace_file
from vae_core.paths import cache_folder, pretrained_folder
from vae_core.runs import PRETRAINED, Run, Status, create_run

IMPORTANCE_SAMPLES = 5000
_ROWS = 50
_DIGITS = {
    "dataset": "digits",
    "hidden_size": 128,
    "epochs": 600,
    "learning_rate": 2e-3,
    "batch_size": 64,
    "kl_warmup_epochs": 0,
    "importance_every": 0,
    "precision": "float32",  # the same everywhere; so small a net gains nothing by less
}

_SHARED_DECODER = "digits-full-d2"


def _companion(posterior: PosteriorName) -> Mapping[str, Any]:
    """Another q(z|x) for the same decoder, so that families can be held against one true p(z|x)."""
    return {
        **_DIGITS,
        "posterior": posterior,
        "latent_size": 2,
        "flow_steps": 4,
        "flow_hidden_size": 32,
        "decoder_of": PRETRAINED + _SHARED_DECODER,
        "title": f"Digits · {posterior} for the decoder of {_SHARED_DECODER}",
    }


_MNIST = {"dataset": "mnist", "learning_rate": 1e-3, "importance_every": 50}

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "mnist-mean-field-d50": {
        **_MNIST,
        "posterior": "mean-field",
        "latent_size": 50,
        "epochs": 400,
        "title": "MNIST · mean field · d = 50",
    },
    "mnist-full-d2": {
        **_MNIST,
        "posterior": "full",
        "latent_size": 2,
        "epochs": 200,
        "title": "MNIST · full covariance · d = 2",
    },
    "digits-full-d2": {
        **_DIGITS,
        "posterior": "full",
        "latent_size": 2,
        "title": "Digits · full covariance · d = 2",
    },
    "digits-iaf-d2": {
        **_DIGITS,
        "posterior": "iaf",
        "latent_size": 2,
        "flow_steps": 4,
        "flow_hidden_size": 32,
        "title": "Digits · IAF, T = 4 · d = 2",
    },
    "digits-mean-field-d16": {
        **_DIGITS,
        "posterior": "mean-field",
        "latent_size": 16,
        "title": "Digits · mean field · d = 16",
    },
    **{
        f"{_SHARED_DECODER}-{posterior}": _companion(posterior)
        for posterior in POSTERIORS
        if posterior != "full"
    },
}


def make(name: str) -> Path:
    """Train the model called ``name`` to the end, evaluate it and publish it; its folder.

    Raises:
        KeyError: if there is no such recipe.
        RuntimeError: if training did not reach its end.
    """
    from vae_core.execution import execute

    config = RunConfig.from_settings(RECIPES[name])
    folder = cache_folder() / "recipes" / name
    run = Run.open(folder) if folder.is_dir() else create_run(folder, config)
    if execute(run) != "done":
        raise RuntimeError(f"{name} is not trained to the end: {run.status().error}")
    command = f"python -m vae_core.recipes {name}"
    return publish(run, pretrained_folder() / name, command)


def publish(run: Run, folder: Path, command: str, images: int | None = None) -> Path:
    """Copy what is needed to use a finished run, with final figures and a card.

    Checkpoints and snapshots are left out, and the metrics are thinned to about 50 epochs.

    Args:
        command: what makes the model again, for its card.
        images: how many test images its figures are of; all of them if None.
    """
    from safetensors.torch import save

    from vae_core.calibration import calibration_steps
    from vae_core.datasets import load_dataset
    from vae_core.evaluation import evaluate
    from vae_core.steps import finish
    from vae_core.vae import load_model

    config = run.config
    model, data = load_model(run.folder), load_dataset(config.dataset)
    figures, scores = evaluate(
        model,
        data,
        "test",
        config.train.binarisation,
        IMPORTANCE_SAMPLES,
        images,
        kept=run.folder / "test_scores.safetensors",
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(run.folder / name, folder / name)
    held_out = {"log_px": scores.log_px, "elbo": scores.elbo}
    replace_file(folder / "held_out.safetensors", save(held_out))
    replace_file(folder / "evaluation.json", json.dumps(figures, indent=2) + "\n")
    replace_file(folder / "status.json", json.dumps(dataclasses.asdict(_published(run.status()))))
    rows = run.metrics()
    step = max(1, len(rows) // _ROWS)
    thinned = [row for row in rows if row["epoch"] % step == 0 or row["epoch"] in (1, len(rows))]
    replace_file(folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in thinned))
    replace_file(folder / "card.md", _card(run, figures, command))
    finish(calibration_steps(run, model, data)).write(folder)
    return folder


def _published(status: Status) -> Status:
    return dataclasses.replace(status, pid=None, terms={}, phase="")


def _card(run: Run, figures: Mapping[str, Any], command: str) -> str:
    settings = {
        name: value
        for name, value in run.config.settings().items()
        if name not in ("title", "device", "importance_every")
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
    status = run.status()
    weights = (run.folder / "model.safetensors").stat().st_size
    return f"""# {run.name}

| figure | value |
| --- | --- |
| log p(x) | {figures["log_px"]:.2f} ± {figures["log_px_se"]:.2f} nats |
| ELBO | {figures["elbo"]:.2f} ± {figures["elbo_se"]:.2f} nats |
| E log p(x given z) | {figures["expected_log_likelihood"]:.2f} nats |
| KL(q ‖ p) | {figures["kl"]:.2f} nats |
| bits per dimension | {figures["bits_per_dim"]:.4f} |
| mean effective sample size | {figures["ess"]:.0f} of {figures["importance_samples"]} |
| share of images with Pareto k above 0.7 | {figures["share_pareto_k_above_0_7"]:.3f} |

Protocol: {figures["dataset"]}, {figures["split"]} split, {figures["images"]} images,
{figures["binarisation"]} binarisation drawn once with seed {figures["seed"]}, log p(x) by
importance sampling with K = {figures["importance_samples"]}. ± is the standard error of the mean
over images. The weights are those of epoch {status.best_epoch}, the best on the validation split.

Trained for {status.seconds:.0f} s on {status.device} ({platform.machine()}), {weights / 1024:.0f}
KiB of weights. Made by `{command}`.

| setting | value |
| --- | --- |
{table}
"""


def main() -> None:
    """Make the named models, or all of them."""
    parser = argparse.ArgumentParser(prog="python -m vae_core.recipes", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which ones, of {', '.join(RECIPES)} (all)")
    names = parser.parse_args().names or list(RECIPES)
    if unknown := set(names) - set(RECIPES):
        parser.error(f"there is no recipe {min(unknown)!r}; there are {', '.join(RECIPES)}")
    for name in names:
        print(make(name))


if __name__ == "__main__":
    main()

"""The recipes of the pretrained models: the settings they are trained with.

``python -m vae_core publish`` makes all models again, or only those that are named. To continue
an interrupted training, give the same command again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vae_core.basics.paths import cache_folder, pretrained_folder
from vae_core.runs.run import Run, RunError
from vae_core.runs.store import PRETRAINED, create_run
from vae_core.settings.choices import POSTERIORS, PosteriorName
from vae_core.settings.config import RunConfig

_DIGITS = {
    "dataset": "digits",
    "hidden_size": 128,
    "epochs": 600,
    "learning_rate": 2e-3,
    "batch_size": 64,
    "kl_warmup_epochs": 0,
    "importance_every": 0,
    "precision": "float32",  # the same on all machines; a lower precision makes no small net faster
}

_SHARED_DECODER = "digits-full-d2"


def _companion(posterior: PosteriorName) -> Mapping[str, Any]:
    """Another q(z|x) for the same decoder, to compare families with the same true p(z|x)."""
    return {
        **_DIGITS,
        "posterior": posterior,
        "latent_size": 2,
        "flow_steps": 4,
        "flow_hidden_size": 32,
        "decoder_of": PRETRAINED + _SHARED_DECODER,
        "title": f"Digits · {posterior} for the decoder of {_SHARED_DECODER}",
    }


_COLOUR = "cifar10-corrected-linear-d128"
_GIVEN_CLASS = "mnist-given-class-d20"

_MNIST = {"dataset": "mnist", "learning_rate": 2e-3, "importance_every": 50}

RECIPES: Mapping[str, Mapping[str, Any]] = {
    "mnist-conv-sylvester-d50": {
        **_MNIST,
        "posterior": "sylvester-householder",
        "latent_size": 50,
        "network": "conv",
        "epochs": 80,
        "importance_every": 5,
        "title": "MNIST · conv, Sylvester · d = 50",
    },
    "mnist-mean-field-d50": {
        **_MNIST,
        "posterior": "mean-field",
        "latent_size": 50,
        "epochs": 1000,
        "kl_warmup_epochs": 20,
        "title": "MNIST · mean field · d = 50",
    },
    "mnist-full-d50": {
        **_MNIST,
        "posterior": "full",
        "latent_size": 50,
        "epochs": 1000,
        "kl_warmup_epochs": 20,
        "title": "MNIST · full covariance · d = 50",
    },
    "mnist-sylvester-d50": {
        **_MNIST,
        "posterior": "sylvester-householder",
        "latent_size": 50,
        "epochs": 1000,
        "kl_warmup_epochs": 20,
        "title": "MNIST · Sylvester · d = 50",
    },
    "mnist-classes-d50": {
        **_MNIST,
        "posterior": "mean-field",
        "latent_size": 50,
        "class_head": "mlp",
        "epochs": 100,
        "kl_warmup_epochs": 10,
        "title": "MNIST · with its classes, p(y|z) · d = 50",
    },
    _GIVEN_CLASS: {
        **_MNIST,
        "posterior": "mean-field",
        "latent_size": 20,
        "conditioning": "class",
        "epochs": 150,
        "kl_warmup_epochs": 10,
        "title": "MNIST · given their class, p(x|y) · d = 20",
    },
    "mnist-full-d2": {
        **_MNIST,
        "posterior": "full",
        "latent_size": 2,
        "epochs": 200,
        "learning_rate": 1e-3,
        "title": "MNIST · full covariance · d = 2",
    },
    _COLOUR: {
        "dataset": "cifar10",  # added with: datasets add cifar10 FILE
        "network": "corrected-linear",
        "posterior": "mean-field",
        "latent_size": 128,
        "likelihood": "discretised-logistic-mixture",
        "mixture_components": 2,
        "channels": 8,
        "batch_size": 64,
        "learning_rate": 2e-3,
        "epochs": 12,
        "kl_warmup_epochs": 0,
        "importance_every": 0,
        "title": "CIFAR-10 · corrected linear · d = 128",
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
    "digits-given-class-d8": {
        **_DIGITS,
        "posterior": "full",
        "latent_size": 8,
        "conditioning": "class",
        "title": "Digits · given their class, p(x|y) · d = 8",
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


EFFORTS: Mapping[str, Mapping[str, int]] = {
    _COLOUR: {
        "images": 1000,
        "refined_images": 100,
        "samples": 100,
        "foreign_images": 25,
        "training_images": 4000,
        "calibration_images": 500,
        "latents": 2000,
    },
    _GIVEN_CLASS: {"images": 1000, "samples": 1000},
    "mnist-conv-sylvester-d50": {"calibration_images": 3000},
}
"""What the figures of a model may take, as arguments of ``publishing.Effort``; else all images."""


def make(name: str) -> Path:
    """Train the model called ``name`` to the end, evaluate it, publish it, and return its folder.

    Raises:
        KeyError: if no recipe has this name.
        RunError: if training did not reach its end.
    """
    from vae_core.runs.execution import execute
    from vae_core.runs.publishing import Effort, publish

    config = RunConfig.from_settings(RECIPES[name])
    folder = cache_folder() / "recipes" / name
    run = Run.open(folder) if folder.is_dir() else create_run(folder, config)
    if execute(run) != "done":
        raise RunError(f"{name} is not trained to the end: {run.status().error}")
    command = f"python -m vae_core publish {name}"
    effort = Effort(**EFFORTS.get(name, {}))
    return publish(run, pretrained_folder() / name, command, effort)

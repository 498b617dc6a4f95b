"""ELBO Room's core: train, evaluate and score variational autoencoders.

Importing this package is light; PyTorch is loaded when something that needs it is first asked for::

    from vae_core import ModelConfig, VAE, load_model, log_density
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vae_core.basics.threads import prepare_threads
from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig
from vae_core.settings.data_sets import DatasetInfo, use_catalogue
from vae_core.settings.fields import ConfigError
from vae_core.settings.own_data import AddOptions

if TYPE_CHECKING:
    from vae_core.analysis.evaluation import evaluate
    from vae_core.data.datasets import load_dataset
    from vae_core.data.own import add_dataset
    from vae_core.inference.annealing import ais, bdmc, simulate
    from vae_core.inference.importance import LogDensity, log_density, log_density_to
    from vae_core.inference.methods import infer
    from vae_core.inference.proposals import refine
    from vae_core.inference.quadrature import posterior_grid
    from vae_core.inference.refit import refit
    from vae_core.model.vae import VAE
    from vae_core.runs.checkpoint import load_model
    from vae_core.training.trainer import train

_LAZY = {
    "VAE": "model.vae",
    "LogDensity": "inference.importance",
    "add_dataset": "data.own",
    "ais": "inference.annealing",
    "bdmc": "inference.annealing",
    "evaluate": "analysis.evaluation",
    "infer": "inference.methods",
    "load_dataset": "data.datasets",
    "load_model": "runs.checkpoint",
    "log_density": "inference.importance",
    "log_density_to": "inference.importance",
    "posterior_grid": "inference.quadrature",
    "refine": "inference.proposals",
    "refit": "inference.refit",
    "simulate": "inference.annealing",
    "train": "training.trainer",
}

__all__ = [
    "VAE",
    "AddOptions",
    "ConfigError",
    "LogDensity",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "add_dataset",
    "ais",
    "bdmc",
    "evaluate",
    "infer",
    "load_dataset",
    "load_model",
    "log_density",
    "log_density_to",
    "posterior_grid",
    "refine",
    "refit",
    "simulate",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"vae_core.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'vae_core' has no attribute {name!r}")


def _dataset_infos() -> Mapping[str, DatasetInfo]:
    """The data sets of the data room, which is imported when one is first looked up."""
    from vae_core.data.catalogue import dataset_infos

    return dataset_infos()


use_catalogue(_dataset_infos)
prepare_threads()

"""ELBO Room's core: train, evaluate and score variational autoencoders.

Importing this package is light; PyTorch is loaded when something that needs it is first asked for::

    from vae_core import ModelConfig, VAE, load_model, log_density
"""

import importlib
from typing import TYPE_CHECKING, Any

from vae_core.config import ConfigError, ModelConfig, RunConfig, TrainConfig

if TYPE_CHECKING:
    from vae_core.adaptive import log_density_to
    from vae_core.annealing import ais, bdmc, simulate
    from vae_core.datasets import load_dataset
    from vae_core.estimators import LogDensity, log_density
    from vae_core.evaluation import evaluate
    from vae_core.gap import refit
    from vae_core.inference import infer
    from vae_core.proposals import refine
    from vae_core.quadrature import posterior_grid
    from vae_core.training import train
    from vae_core.vae import VAE, load_model

_LAZY = {
    "VAE": "vae_core.vae",
    "load_model": "vae_core.vae",
    "LogDensity": "vae_core.estimators",
    "log_density": "vae_core.estimators",
    "load_dataset": "vae_core.datasets",
    "evaluate": "vae_core.evaluation",
    "train": "vae_core.training",
    "log_density_to": "vae_core.adaptive",
    "ais": "vae_core.annealing",
    "bdmc": "vae_core.annealing",
    "simulate": "vae_core.annealing",
    "posterior_grid": "vae_core.quadrature",
    "refine": "vae_core.proposals",
    "refit": "vae_core.gap",
    "infer": "vae_core.inference",
}

__all__ = [
    "VAE",
    "ConfigError",
    "LogDensity",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
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
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'vae_core' has no attribute {name!r}")

"""The model file of a run: its config and weights in safetensors."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vae_core.basics.devices import resolve_device
from vae_core.basics.errors import UserError
from vae_core.basics.files import replace_file
from vae_core.basics.memory import keep_freed_memory
from vae_core.basics.paths import run_folder
from vae_core.model.vae import VAE
from vae_core.runs.run import WEIGHTS_FILE
from vae_core.settings.config import ModelConfig
from vae_core.settings.fields import ConfigError

log = logging.getLogger(__name__)


def save_model(model: VAE, path: Path, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write the config and the weights of a model into one safetensors file, in one step.

    Args:
        weights: written instead of the model's own weights.
    """
    chosen = model.state_dict() if weights is None else weights
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in chosen.items()}
    replace_file(path, save(tensors, metadata={"model": json.dumps(model.config.to_dict())}))


def load_model(folder: str | Path, device: str | torch.device = "cpu") -> VAE:
    """Load the model of a run, ready to evaluate.

    Args:
        folder: a run's folder, ``pretrained/NAME``, the id of a run, or a ``.safetensors`` file.

    Raises:
        NoModel: if ``model.safetensors`` does not exist. It is a FileNotFoundError too.
        ModelFileError: if the file is damaged or does not fit this version.
        DeviceError: if the device is not available.
    """
    keep_freed_memory()
    device = resolve_device(device)
    path = run_folder(folder)
    path = path / WEIGHTS_FILE if path.is_dir() else path
    if not path.is_file():
        raise NoModel(f"No trained model at {path}: train first, or choose another run.")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["model"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _refused(path, "is damaged and cannot be read", error) from error
    try:
        model = VAE(ModelConfig.from_dict(about))
        model.load_state_dict(weights)
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise _refused(path, "does not fit this version of the program", error) from error
    return model.to(device).eval().requires_grad_(False)


def _refused(path: Path, why: str, error: Exception) -> "ModelFileError":
    """Make the error that the user sees, and write the library's message to the log."""
    log.warning("The model file %s %s: %s", path, why, error)
    return ModelFileError(f"The model file {path} {why}: train it again, or choose another model.")


class NoModel(UserError, FileNotFoundError):
    """The file of a trained model does not exist."""


class ModelFileError(UserError, ValueError):
    """A model file that is damaged or from another version."""

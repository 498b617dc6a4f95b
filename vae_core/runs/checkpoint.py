"""The model file of a run: its config and weights in safetensors."""

import json
import logging
from collections.abc import Mapping
from math import prod
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from vae_core.basics.devices import resolve_device
from vae_core.basics.errors import UserError, check_choice, is_out_of_memory
from vae_core.basics.files import replace_plain
from vae_core.basics.memory import keep_freed_memory, physical_memory
from vae_core.basics.paths import run_folder
from vae_core.basics.plain_files import NotAPlainFile
from vae_core.basics.tensor_files import Header, TensorFileError, read_header, read_tensors
from vae_core.basics.text import printable
from vae_core.model.building import LargerThanItsWeights, build_for_weights
from vae_core.model.vae import VAE
from vae_core.runs.run import CONFIG_FILE, LAST_WEIGHTS_FILE, WEIGHTS_FILE, RunError, read_config
from vae_core.settings.choices import WeightsName
from vae_core.settings.config import ModelConfig
from vae_core.settings.fields import ConfigError

_FILES: Mapping[WeightsName, str] = {"kept": WEIGHTS_FILE, "last": LAST_WEIGHTS_FILE}

log = logging.getLogger(__name__)


def save_model(model: VAE, path: Path, weights: Mapping[str, Tensor] | None = None) -> None:
    """Write the config and the weights of a model into one safetensors file, in one step.

    Args:
        weights: written instead of the model's own weights.
    """
    replace_plain(path, model_bytes(model, weights))


def model_bytes(model: VAE, weights: Mapping[str, Tensor] | None = None) -> bytes:
    """Make the content of the file that :func:`save_model` writes."""
    chosen = model.state_dict() if weights is None else weights
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in chosen.items()}
    return save(tensors, metadata={"model": json.dumps(model.config.to_dict())})


def load_model(
    folder: str | Path, device: str | torch.device = "cpu", weights: WeightsName = "kept"
) -> VAE:
    """Load the model of a run, ready to evaluate.

    Args:
        folder: a run's folder, ``pretrained/NAME``, the id of a run, or a ``.safetensors`` file.
        weights: of a run's folder, the weights of the kept epoch or those of the last step.

    Raises:
        NoModel: if the file of the weights does not exist. It is a FileNotFoundError too.
        ModelFileError: if the file is damaged or does not fit this version.
        TooLargeModel: if the model does not fit into memory. It is a MemoryError too.
        DeviceError: if the device is not available.
    """
    keep_freed_memory()
    device = resolve_device(device)
    check_choice("The weights", weights, _FILES)
    found = run_folder(folder)
    path = found / _FILES[weights] if found.is_dir() else found
    try:
        model = _read_model(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoModel(_missing(path, weights)) from error
    except NotAPlainFile as error:
        raise _refused(path, "cannot be used", error, f": {error}") from error
    except TensorFileError as error:
        raise _refused(path, "is damaged and cannot be read", error) from error
    except (ConfigError, LargerThanItsWeights) as error:
        raise _refused(path, "does not fit this version of the program", error) from error
    except (KeyError, MemoryError, TypeError, ValueError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise TooLargeModel(_too_large(path)) from error
        if isinstance(error, UserError):
            raise
        raise _refused(path, "does not fit this version of the program", error) from error
    if found.is_dir() and not _fits_run(model.config, found):
        misfit = ValueError(f"{CONFIG_FILE} describes another model")
        raise _refused(path, "belongs to another run", misfit)
    return model.to(device).eval().requires_grad_(False)


def _fits_run(config: ModelConfig, folder: Path) -> bool:
    """Whether the config of a run, if it can be read, describes the same model."""
    try:
        return read_config(folder).model == config
    except RunError:
        return True


def read_model_config(header: Header) -> ModelConfig:
    """Read the config of a model from the header of its file.

    Raises:
        TensorFileError: if the header has no config.
        ConfigError: if the config does not fit this version of the program.
    """
    try:
        about = json.loads(header.metadata["model"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise TensorFileError("its header has no config of a model") from error
    return ModelConfig.from_dict(about)


def _read_model(path: Path) -> VAE:
    header = read_header(path)
    config = read_model_config(header)
    if header.size > physical_memory():
        raise TooLargeModel(_too_large(path))
    model = build_for_weights(config, sum(map(prod, header.shapes.values())))
    weights, _ = read_tensors(path, header.size)
    model.load_state_dict(weights)
    return model


def _missing(path: Path, weights: WeightsName) -> str:
    shown = printable(str(path))
    if weights == "last":
        return (
            f"There are no last weights at {shown}: a run keeps them when it ends, and a "
            "pretrained model has only the weights of its kept epoch."
        )
    return f"No trained model at {shown}: train first, or choose another run."


def _too_large(path: Path) -> str:
    return (
        f"The model of {printable(str(path))} does not fit into the memory of this computer. "
        "Choose a smaller model."
    )


def _refused(path: Path, why: str, error: Exception, detail: str = "") -> "ModelFileError":
    """Make the error that the user sees, and write the library's message to the log."""
    shown = printable(str(path))
    log.warning("The model file %s %s: %s", shown, why, printable(str(error)))
    what = f"The model file {shown} {why}{detail}"
    return ModelFileError(f"{what}: train it again, or choose another model.")


class NoModel(UserError, FileNotFoundError):
    """The file of a trained model does not exist."""


class ModelFileError(UserError, ValueError):
    """A model file that is damaged or from another version."""


class TooLargeModel(UserError, MemoryError):
    """A model that does not fit into the memory of this computer."""

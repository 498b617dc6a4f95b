"""Start a run from the weights of another model.

The weights are copied into the folder of the new run when it is created. So the run starts from the
same weights again, whatever becomes of the other model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vae_core.basics.paths import pretrained_folder, run_folder, runs_folder
from vae_core.basics.text import printable
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model, model_bytes
from vae_core.runs.run import START_WEIGHTS_FILE, Run, RunError, read_config
from vae_core.settings.config import ModelConfig, RunConfig
from vae_core.settings.fields import settings_of
from vae_core.training.start import start_from_weights

_LONGEST_NAME = 80


@dataclass(frozen=True)
class Start:
    """A model from whose weights a run can start.

    Attributes:
        name: of the model, as the run keeps it.
        settings: its settings that a run takes which names no others: those of the model and, if
            they are known, the data set and the binarisation.
    """

    name: str
    settings: dict[str, Any]
    model: VAE

    @classmethod
    def open(cls, given: str | Path) -> "Start":
        """Open a model: a run's folder or id, ``pretrained/NAME``, or a ``.safetensors`` file.

        Raises:
            RunError, UserError: if there is no such model, or it is damaged.
        """
        folder = run_folder(given)
        config = read_config(folder) if folder.is_dir() else None
        model = load_model(folder)
        settings = {s.name: getattr(model.config, s.name) for s in settings_of(ModelConfig)}
        if config is not None:
            settings["dataset"] = config.dataset
            settings["binarisation"] = config.train.binarisation
        return cls(_name_of(folder), settings, model)


def start_weights(config: RunConfig, model: VAE | Callable[[str], Run]) -> bytes | None:
    """Make the file of the weights that a new run starts from; None if it starts from random ones.

    Args:
        model: the model; or a function that finds the run or the pretrained model that the config
            names.

    Raises:
        RunError: if that run does not exist or cannot be read.
        ConfigError: if its weights do not fit the config.
    """
    if not config.start_from:
        return None
    if not isinstance(model, VAE):
        try:
            model = load_model(model(config.start_from).folder)
        except (RunError, OSError) as error:
            name = printable(config.start_from)
            raise RunError(f"The weights of {name!r} cannot be loaded: {error}") from error
    start_from_weights(VAE(config.model), model)
    return model_bytes(model)


def start_of(run: Run) -> VAE | None:
    """Load the weights that a run starts from; None if it starts from random ones.

    Raises:
        RunError: if they are missing.
        ModelFileError: if they are damaged.
    """
    if not run.config.start_from:
        return None
    try:
        return load_model(run.folder / START_WEIGHTS_FILE)
    except FileNotFoundError as error:
        raise RunError(
            f"The weights that this run starts from are missing: its folder has no "
            f"{START_WEIGHTS_FILE}. Start a new run from {printable(run.config.start_from)!r}."
        ) from error


def _name_of(folder: Path) -> str:
    """The key of a run in the store or of a pretrained model; else the name of the folder."""
    folder = folder.resolve()
    if folder.parent == pretrained_folder():
        return f"pretrained/{folder.name}"
    if folder.parent == runs_folder().resolve():
        return folder.name
    return printable(folder.name, _LONGEST_NAME)

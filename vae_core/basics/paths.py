"""Folders of runs, downloads, data sets and pretrained models on this computer."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from vae_core.basics.errors import InvalidArgument
from vae_core.basics.text import printable

_APP = "elbo-room"


FOLDER_VARIABLES = ("VAE_RUNS_DIR", "VAE_CACHE_DIR", "VAE_DATA_DIR", "VAE_DATASETS_DIR")


def runs_folder() -> Path:
    """The run store: ``VAE_RUNS_DIR``, else the user's data folder."""
    return chosen_folder("VAE_RUNS_DIR") or user_data_path(_APP) / "runs"


def cache_folder() -> Path:
    """Downloads: ``VAE_CACHE_DIR``, else the user's cache folder."""
    return chosen_folder("VAE_CACHE_DIR") or user_cache_path(_APP)


def data_folder() -> Path | None:
    """Data sets already on disk: ``VAE_DATA_DIR``, if it is set."""
    return chosen_folder("VAE_DATA_DIR")


def datasets_folder() -> Path:
    """Data sets of the user's own: ``VAE_DATASETS_DIR``, else the user's data folder."""
    return chosen_folder("VAE_DATASETS_DIR") or user_data_path(_APP) / "datasets"


def data_folder_is_missing() -> bool:
    """Whether ``VAE_DATA_DIR`` is set, but not to a folder that exists."""
    folder = data_folder()
    return folder is not None and not folder.is_dir()


def chosen_folder(variable: str) -> Path | None:
    """The folder that a variable of the environment names; None if it is empty or not set.

    Raises:
        InvalidArgument: as for :func:`path_of`, or if it names a file.
    """
    chosen = os.environ.get(variable)
    if not chosen:
        return None
    path = path_of(chosen)
    if path.exists() and not path.is_dir():
        raise InvalidArgument(
            f"{variable} is set to {printable(chosen)}, which is no folder. Set it to a folder, or "
            "to nothing."
        )
    return path


def path_of(text: str | Path) -> Path:
    """The path that a user gave, with the home folder for ``~``, and that of a user for ``~user``.

    A shell replaces ``~`` only at the beginning of a word, and not in ``--csv=~/scores.csv``.

    Raises:
        InvalidArgument: if there is no such user.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise InvalidArgument(
            f"{text} begins with ~, but there is no such user here; give the whole path."
        ) from error


def pretrained_folder() -> Path:
    """The finished models that come with the program, beside ``vae_core``: in the source tree and
    where a wheel is installed."""
    return Path(__file__).resolve().parents[2] / "pretrained"


def run_folder(name: str | Path) -> Path:
    """Find the folder of a run.

    Args:
        name: a path; else ``pretrained/NAME``, in whatever folder one stands; else the id of a run
            in the run store. A path that exists comes first.

    Returns:
        The folder. A name that no folder has is returned as it was given, with the home folder for
        ``~``.
    """
    path = Path(name)
    if not path.exists():
        path = path_of(name)
    match path.parts:
        case _ if path.exists():
            return path
        case ("pretrained", model):
            found = pretrained_folder() / model
        case (run_id,):
            found = _in_store(run_id)
        case _:
            return path
    return found if found.is_dir() else path


def _in_store(run_id: str) -> Path:
    """The folder of a run in the store, whose id has characters replaced that cannot be shown."""
    store = runs_folder()
    if (store / run_id).is_dir() or not store.is_dir():
        return store / run_id
    shown_so = (each for each in store.iterdir() if printable(each.name) == run_id)
    return next(shown_so, store / run_id)

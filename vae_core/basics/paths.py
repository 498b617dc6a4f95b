"""Folders of runs, downloads, data sets and pretrained models on this computer."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

from vae_core.basics.text import printable

_APP = "elbo-room"


def runs_folder() -> Path:
    """The run store: ``VAE_RUNS_DIR``, else the user's data folder."""
    chosen = os.environ.get("VAE_RUNS_DIR")
    return Path(chosen) if chosen else user_data_path(_APP) / "runs"


def cache_folder() -> Path:
    """Downloads: ``VAE_CACHE_DIR``, else the user's cache folder."""
    chosen = os.environ.get("VAE_CACHE_DIR")
    return Path(chosen) if chosen else user_cache_path(_APP)


def data_folder() -> Path | None:
    """Data sets already on disk: ``VAE_DATA_DIR``, if it is set."""
    chosen = os.environ.get("VAE_DATA_DIR")
    return Path(chosen) if chosen else None


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
        The folder. A name that no folder has is returned as it was given.
    """
    path = Path(name)
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

"""Folders of runs, downloads, data sets and pretrained models on this computer."""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

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
    """The finished models that come with the program."""
    return Path(__file__).resolve().parents[2] / "pretrained"

"""Fixtures for all tests: each test run has its own run and cache folders, not the user's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import vae_core

assert vae_core  # imported before PyTorch, so that its threads sleep while they wait


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder for the whole test run."""
    return tmp_path_factory.mktemp("elbo-room")


@pytest.fixture(autouse=True, scope="session")
def _isolated_folders(session_folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_RUNS_DIR", str(session_folder / "runs"))
        patch.setenv("VAE_CACHE_DIR", str(session_folder / "cache"))
        patch.setenv("VAE_DATASETS_DIR", str(session_folder / "datasets"))
        yield

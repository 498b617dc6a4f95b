"""The run store: list, start, resume and find runs."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from vae_core.runs.run import Run, RunError
from vae_core.runs.store import DamagedRun, RunStore
from vae_core.runs.worker import ensure_worker
from vae_core.settings.config import RunConfig


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """Open the run store, once for all sessions."""
    return RunStore()


def entries() -> list[Run | DamagedRun]:
    """List all runs in the store, newest first. Start a worker if queued runs have none."""
    ensure_worker(store())
    return list(store().entries())


def submit(values: Mapping[str, Any] | RunConfig) -> Run:
    """Queue a new run, from a config or a flat mapping of settings; start a worker if needed.

    Raises:
        vae_core.settings.config.ConfigError: for settings that cannot be used.
    """
    config = values if isinstance(values, RunConfig) else RunConfig.from_settings(values)
    run = store().create(config)
    ensure_worker(store())
    return run


def resume(run: Run) -> None:
    """Queue a paused, stopped or failed run again."""
    run.enqueue()
    ensure_worker(store())


def find(run_id: str) -> Run | None:
    """Return the run with this id; None if it does not exist or is damaged."""
    try:
        return store().get(run_id)
    except RunError:
        return None

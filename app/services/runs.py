"""The run store, as pages use it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from vae_core.runs.run import Run, RunError
from vae_core.runs.store import DamagedRun, RunStore
from vae_core.runs.worker import ensure_worker
from vae_core.settings.config import RunConfig

if TYPE_CHECKING:
    pass


# ---- runs


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """The run store."""
    return RunStore()


def entries() -> list[Run | DamagedRun]:
    """Everything in the store, newest first; sees to it that queued work is being done."""
    ensure_worker(store())
    return list(store().entries())


def submit(values: Mapping[str, Any] | RunConfig) -> Run:
    """Queue a new run, from a config or a flat mapping of settings, and see that a worker takes it.

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
    """The run of that id; None if it is gone or damaged."""
    try:
        return store().get(run_id)
    except RunError:
        return None

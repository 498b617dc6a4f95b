"""The run store: list, start, resume and find runs."""

import logging
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any

import streamlit as st

from vae_core.basics.errors import sentence_of
from vae_core.basics.text import printable
from vae_core.runs.listing import Listed
from vae_core.runs.run import UNFINISHED, Run, RunError, Status
from vae_core.runs.store import RunStore
from vae_core.runs.worker import ensure_worker
from vae_core.settings.config import RunConfig

MOST_OF_ONE, MOST_OF_ALL = 20, 100
"""Most queued runs that were started in one session, and of all sessions."""
_log = logging.getLogger("elbo_room")


class QueueFull(RunError):
    """So many runs are in the queue that no other can be added from a page."""


@st.cache_resource(show_spinner=False)
def store() -> RunStore:
    """Open the run store, once for all sessions."""
    return RunStore()


def listed() -> list[Listed]:
    """List the store, newest first. Start a worker if queued runs have none."""
    start_worker()
    return list(store().listed())


def newest(count: int) -> list[tuple[Run, Status]]:
    """The newest runs in the store that can be read."""
    found = ((each.run, each.status) for each in store().listed())
    return list(islice(((run, status) for run, status in found if run and status), count))


def start_worker() -> None:
    """Start a worker if queued runs have none; a store that cannot be written can still be read."""
    try:
        ensure_worker(store())
    except OSError as error:
        _log_once(f"No training can start: {sentence_of(error)}")


@st.cache_resource(max_entries=100, show_spinner=False)
def _log_once(message: str) -> None:
    _log.warning("%s", printable(message))


def waits_for_consent(run: Run, status: Status) -> bool:
    """Whether an unfinished run was copied into the store, so that it does not start by itself."""
    return store().waits_for_consent(run, status)


def submit(values: Mapping[str, Any] | RunConfig) -> Run:
    """Queue a new run, from a config or a flat mapping of settings; start a worker if needed.

    Raises:
        vae_core.settings.config.ConfigError: for settings that cannot be used.
        vae_core.runs.store.RunNotCreated: if the store cannot be written.
        QueueFull: if too many runs are in the queue.
    """
    config = values if isinstance(values, RunConfig) else RunConfig.from_settings(values)
    mine = st.session_state.setdefault("started-runs", [])
    _check_queue(mine)
    if config.decoder_of:
        from vae_core.runs.execution import check_decoder  # imports torch

        check_decoder(config)
    run = store().create(config)
    mine.append(run.id)
    start_worker()
    return run


def check_room(adding: int) -> None:
    """Check that the queue has room for the runs of a sweep.

    Raises:
        QueueFull: otherwise.
    """
    waiting = len(_unfinished())
    if waiting + adding > MOST_OF_ALL:
        raise QueueFull(
            f"The queue holds at most {MOST_OF_ALL} runs, and {waiting} are in it already, so "
            f"{adding} more cannot be added. Use the command sweep for so many, or take fewer "
            "values."
        )


def resume(run: Run) -> None:
    """Queue a paused, stopped, failed or copied run."""
    _check_queue(())
    run.enqueue()
    start_worker()


def add_epochs(run: Run, epochs: int) -> None:
    """Raise the number of epochs of a run, and queue it.

    Raises:
        vae_core.settings.config.ConfigError: if it has that many epochs already.
        RunError: if this is not possible, as for :func:`vae_core.runs.more_epochs.add_epochs`.
    """
    from vae_core.runs.more_epochs import add_epochs as add

    _check_queue(())
    resume(add(run, epochs))


def _check_queue(mine: Collection[str]) -> None:
    """Check that another run may be queued.

    Args:
        mine: ids of the runs that were started in this session.

    Raises:
        QueueFull: if so many are unfinished already.
    """
    ids = _unfinished()
    for count, most, whose in (
        (len(ids.intersection(mine)), MOST_OF_ONE, "of yours "),
        (len(ids), MOST_OF_ALL, ""),
    ):
        if count >= most:
            raise QueueFull(
                f"{count} runs {whose}are in the queue already. Wait until one of them is done, or "
                "stop one, before you add another."
            )


def _unfinished() -> set[str]:
    """Ids of the queued and running runs of this store."""
    listed = store().listed(store().queue.ids())
    return {e.folder.name for e in listed if e.status and e.status.state in UNFINISHED}


def find(run_id: str) -> Run | None:
    """Return the run with this id; None if it does not exist or is damaged."""
    try:
        return store().get(run_id)
    except RunError:
        return None

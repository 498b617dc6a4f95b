"""The list of runs on the Train page: all runs, the chosen run, and actions on a run."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import streamlit as st

from app.parts import attempts
from app.parts.text import duration
from app.services import runs
from app.services.history import read_history
from app.shell import errors
from vae_core.basics.text import printable
from vae_core.runs.listing import Listed
from vae_core.runs.run import METRICS_FILE, UNFINISHED, Run, Status
from vae_core.wording.numbers import typeset

ICONS = {
    "queued": "schedule",
    "running": "play_arrow",
    "paused": "pause_circle",
    "stopped": "stop_circle",
    "failed": "error",
    "done": "check_circle",
    "copied": "file_copy",
    "damaged": "broken_image",
}
_SHOWN = 12


@dataclass(frozen=True)
class Entry:
    """A folder of the run store: a run with its status, or the reason why it cannot be read.

    Attributes:
        copied: whether the run was copied into the store unfinished, so that it waits for the user.
    """

    id: str
    run: Run | None
    status: Status | None
    reason: str = ""
    copied: bool = False

    @property
    def state(self) -> str:
        """State of the run, ``copied`` or ``damaged``."""
        if self.status is None:
            return "damaged"
        return "copied" if self.copied else self.status.state

    @property
    def unfinished(self) -> bool:
        """Whether the run is queued or running."""
        return self.state in UNFINISHED

    @property
    def name(self) -> str:
        """Name shown in lists."""
        return self.run.name if self.run else self.id


def entries() -> list[Entry]:
    """Everything in the store, newest first. Also makes sure that a worker runs for the queue."""
    found = [_entry(each) for each in runs.listed()]
    return sorted(found, key=lambda e: e.status.created if e.status else 0.0, reverse=True)


def _entry(found: Listed) -> Entry:
    if found.run is None or found.status is None:
        return Entry(printable(found.folder.name), None, None, found.reason)
    copied = runs.waits_for_consent(found.run, found.status)
    return Entry(found.run.id, found.run, found.status, copied=copied)


# ---- the chosen run


def chosen_id(found: Sequence[Entry]) -> str | None:
    """The run in the URL, else the run chosen before, else the newest; None if no run exists."""
    if wanted := st.query_params.get("run"):
        return wanted
    if before := st.session_state.get("train-run"):  # the user left the page and came back
        choose(before)
        return before
    return found[0].id if found else None


def choose(run_id: str) -> None:
    """Choose this run and write it into the URL."""
    st.session_state["train-run"] = run_id
    st.query_params["run"] = run_id


# ---- actions


def attempt(action: Callable[[], object]) -> None:
    """Run an action. If the run has changed since the button was drawn, show a note instead."""
    attempts.attempt(action, "train-note")


def remove(run_id: str) -> None:
    """Remove a run from the list."""
    folder = runs.store().remove(run_id)
    if st.query_params.get("run") == run_id:
        del st.query_params["run"]
    st.session_state.pop("train-run", None)
    st.session_state["train-note"] = f"Removed from the list. The folder is now {folder}."


# ---- the list


def show_list(found: Sequence[Entry], chosen: str | None, of_sweeps: Collection[str] = ()) -> None:
    """List the runs, newest first, each with its state. A click shows a run.

    Args:
        of_sweeps: ids of runs that belong to sweeps, which are listed only if all runs are.
    """
    st.header("Runs", anchor=False)
    if not found:
        st.caption("No runs yet. Runs are kept until you remove them, even if the app is closed.")
        return
    alone = [entry for entry in found if entry.id not in of_sweeps or entry.id == chosen]
    shown = found if st.session_state.get("train-all-runs", False) else alone[:_SHOWN]
    with st.container(key="run-list", gap="xxsmall"):
        for entry in shown:
            _row(entry, entry.id == chosen)
    if len(alone) > _SHOWN or len(alone) < len(found):
        which = "Show the older runs too, and those of sweeps."
        st.toggle(f"All {len(found)} runs", key="train-all-runs", help=which)


def _row(entry: Entry, is_chosen: bool) -> None:
    clicked = st.button(
        f"{errors.plain(entry.name)} &ensp;:gray[:small[{_remark(entry)}]]",
        key=f"pick-{entry.id}",
        icon=f":material/{ICONS[entry.state]}:",
        type="secondary" if is_chosen else "tertiary",
        width="stretch",
        on_click=choose,
        args=(entry.id,),
        help=f"Show this run. Its state: {entry.state}.",
    )
    if entry.run and entry.status and entry.unfinished:
        st.progress(entry.status.share_done(entry.run.config.train.epochs))
    if clicked:
        st.rerun()


def _remark(entry: Entry) -> str:
    if entry.run is None or entry.status is None:
        return "damaged"
    epochs = entry.run.config.train.epochs
    if entry.state == "running" and entry.status.epoch:
        left = entry.status.seconds_left(epochs)
        of = f"{_newest_elbo(entry.run)}{entry.status.epoch} / {epochs}"
        return of + (f", {duration(left)}" if left else "")
    newest = _newest_elbo(entry.run)
    return f"{newest}{entry.state}, {_when(entry.status.created)}"


@lru_cache(maxsize=4096)
def _elbo_of(folder: str, _written: int, _size: int) -> float:
    """Read the newest ELBO. The file is not opened again as long as it does not change."""
    row = read_history(Path(folder)).last
    return row["validation"].get("elbo", math.nan) if row else math.nan


def _newest_elbo(run: Run) -> str:
    """The ELBO on validation images after the newest epoch, for a list; else an empty text."""
    try:
        about = (run.folder / METRICS_FILE).lstat()
    except OSError:
        return ""
    elbo = _elbo_of(str(run.folder), about.st_mtime_ns, about.st_size)
    return f"ELBO {typeset(elbo, '.1f')}, " if math.isfinite(elbo) else ""


def _when(seconds: float) -> str:
    then, now = datetime.fromtimestamp(seconds), datetime.now()
    return f"{then:%H:%M}" if then.date() == now.date() else f"{then.day} {then:%b}"

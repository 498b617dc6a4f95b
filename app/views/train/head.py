"""The head of a run on the Train page: name, state, progress and buttons."""

from functools import partial
from typing import Any

import streamlit as st

from app.parts import forms
from app.parts.text import duration
from app.shell import errors
from app.views.train import longer
from app.views.train.run_list import ICONS, Entry, attempt, remove
from vae_core.runs.failures import WAITING_FOR_SPACE, standstill_sentence
from vae_core.runs.run import Request, Run, Status
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import dataset_called

_REQUESTS: tuple[tuple[Request, str, str], ...] = (
    ("pause", "pause", "Saves the run as it is now. Resume continues from here."),
    ("stop", "stop", "Ends the run here. The model so far can be used."),
)
_COLOURS: dict[str, Any] = {"done": "green", "failed": "red", "running": "blue", "paused": "orange"}


def head(entry: Entry, before: int) -> None:
    """Show name, state, buttons and progress of a run. ``before`` is the number of runs ahead."""
    run, status = entry.run, entry.status
    assert run is not None
    assert status is not None
    with st.container(key="run-head", horizontal=True, vertical_alignment="center", gap="small"):
        st.header(errors.plain(run.name), anchor=False, width="content")
        icon = f":material/{ICONS[entry.state]}:"
        st.badge(entry.state, icon=icon, color=_COLOURS.get(entry.state, "gray"))
        with st.container(horizontal=True, gap="small", width="content"):
            _buttons(entry, run, status)  # all in one line, below the name where it is long
    share = status.share_done(run.config.train.epochs)
    standstill = "" if entry.copied else standstill_sentence(run, status)
    if entry.copied:
        st.progress(
            share, text=f"Copied here at {_at(run, status)}. “Resume” continues from there."
        )
    elif standstill:
        st.progress(share, text=f"Waiting at {_at(run, status)}")
    elif entry.unfinished:
        st.progress(share, text=errors.plain(_activity(run, status, before)))
    else:
        st.progress(share, text=_final_state(run, status))
    if status.state == "failed":
        st.error(
            f"{errors.plain(status.error)} “Resume” tries again from where it stopped. "
            "“Duplicate” starts a new run with other settings."
        )
    elif said := standstill or status.error:
        st.warning(errors.plain(said))


def _at(run: Run, status: Status) -> str:
    if not status.epoch:
        return "the start"
    return f"epoch {status.epoch:,} of {run.config.train.epochs:,}"


def _activity(run: Run, status: Status, before: int) -> str:
    if run.requested():
        return "Stopping after this step…"
    if status.phase == "training":
        left = status.seconds_left(run.config.train.epochs)
        return f"{_at(run, status).capitalize()}" + (
            f", about {duration(left)} left" if left else ""
        )
    if status.phase and status.state == "queued" and status.phase != WAITING_FOR_SPACE:
        return f"The process ended unexpectedly: {status.phase}…"
    if status.phase:
        return f"{status.phase.capitalize()}…"
    if before:
        return f"Waiting for {before} earlier run{'s' if before > 1 else ''}"
    return "Starting…"


def _final_state(run: Run, status: Status) -> str:
    if status.state == "done":
        return f"{status.epoch:,} epochs in {duration(status.seconds)}"
    words = {
        "paused": "Paused in {}. “Resume” continues from exactly here.",
        "stopped": "Stopped in {}. The model so far can be used. “Resume” continues the training.",
        "failed": "Failed at {}.",
    }
    return words[status.state].format(_at(run, status))


def _buttons(entry: Entry, run: Run, status: Status) -> None:
    pressed = False
    if entry.unfinished:
        for action, icon, text in _REQUESTS:
            pressed |= st.button(
                action.capitalize(),
                key=f"run-{action}",
                icon=f":material/{icon}:",
                help=text,
                on_click=attempt,
                args=(partial(run.request, action),),
            )
    elif status.state != "done":
        pressed |= longer.resume(run, status, entry.copied)
    pressed |= st.button(
        "Duplicate",
        key="run-duplicate",
        icon=":material/content_copy:",
        help="Copies these settings into the form. Change some of them and start a new run.",
        on_click=_duplicate,
        args=(run.config,),
    )
    if not entry.unfinished:
        if not entry.copied:
            pressed |= longer.more_epochs(run)
        if run.checkpoint_digest():
            longer.start_from_it(run)
        pressed |= remove_menu(run.id)
    if pressed:
        st.rerun()


def _duplicate(config: RunConfig) -> None:
    forms.prefill(config)
    gone = "" if dataset_called(config.dataset) else "Its data set is not here: choose another. "
    st.session_state["train-note"] = (
        "The form now holds the settings of this run. "
        f"{gone}Change what you like, then press Start."
    )


def remove_menu(run_id: str) -> bool:
    """Ask before a run is removed from the list; return True when the user confirms."""
    with st.popover(":material/delete:", key="run-more", help="Remove this run from the list."):
        st.markdown(
            "The folder of the run moves to `.removed` in the run store. Nothing is deleted."
        )
        return st.button(
            "Remove from the list",
            key="run-remove",
            on_click=attempt,
            args=(partial(remove, run_id),),
            help="The run disappears from all lists. To get it back, move its folder back.",
        )

"""The head of a run on the Train page: what it is doing, and what can be done about it."""

from functools import partial
from typing import Any

import streamlit as st

from app.parts import forms
from app.parts.text import duration
from app.services import runs
from app.shell import errors
from app.views.train.run_list import ICONS, Entry, attempt, remove
from vae_core.runs.run import Request, Run, Status
from vae_core.settings.config import RunConfig

_REQUESTS: tuple[tuple[Request, str, str], ...] = (
    ("pause", "pause", "Keeps everything as it is now; Resume goes on from here."),
    ("stop", "stop", "Ends the run here; the model so far can be used."),
)
_COLOURS: dict[str, Any] = {"done": "green", "failed": "red", "running": "blue", "paused": "orange"}


def head(entry: Entry, before: int) -> None:
    """Name, state, buttons and progress of a run; ``before`` runs are to be trained first."""
    run, status = entry.run, entry.status
    assert run is not None
    assert status is not None
    with st.container(key="run-head", horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(errors.plain(run.name), anchor=False, width="content")
        icon = f":material/{ICONS[status.state]}:"
        st.badge(status.state, icon=icon, color=_COLOURS.get(status.state, "gray"))
        _buttons(run, status)
    share = status.share_done(run.config.train.epochs)
    if status.state in ("queued", "running"):
        st.progress(share, text=_doing(run, status, before))
    else:
        st.progress(share, text=_left_at(run, status))
    if status.state == "failed":
        st.error(
            f"{errors.plain(status.error)} “Resume” tries again from where it was; “Duplicate” "
            "starts anew with other settings."
        )


def _at(run: Run, status: Status) -> str:
    if not status.epoch:
        return "the start"
    return f"epoch {status.epoch:,} of {run.config.train.epochs:,}"


def _doing(run: Run, status: Status, before: int) -> str:
    if run.requested():
        return "Leaving after this step…"
    if status.phase == "training":
        left = status.seconds_left(run.config.train.epochs)
        return f"{_at(run, status).capitalize()}" + (
            f", about {duration(left)} left" if left else ""
        )
    if status.phase and status.state == "queued":
        return f"Its process ended early: {status.phase}…"
    if status.phase:
        return f"{status.phase.capitalize()}…"
    if before:
        return f"Waiting: {before} run{'s are' if before > 1 else ' is'} before it"
    return "Starting…"


def _left_at(run: Run, status: Status) -> str:
    if status.state == "done":
        return (
            f"{status.epoch:,} epochs in {duration(status.seconds)}; the model is that of epoch "
            f"{status.best_epoch:,}, the best on validation"
        )
    words = {
        "paused": "Paused in {}. “Resume” goes on from exactly here.",
        "stopped": "Stopped in {}. The model so far can be used; “Resume” would go on.",
        "failed": "Failed at {}.",
    }
    return words[status.state].format(_at(run, status))


def _buttons(run: Run, status: Status) -> None:
    pressed = False
    if status.state in ("queued", "running"):
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
        pressed |= st.button(
            "Resume",
            key="run-resume",
            icon=":material/play_arrow:",
            help="Goes on from the last checkpoint, with no epoch lost or counted twice.",
            on_click=attempt,
            args=(partial(runs.resume, run),),
        )
    pressed |= st.button(
        "Duplicate",
        key="run-duplicate",
        icon=":material/content_copy:",
        help="Fills the form with these settings, to start a run like it with a change.",
        on_click=_duplicate,
        args=(run.config,),
    )
    if status.state not in ("queued", "running"):
        pressed |= remove_menu(run.id)
    if pressed:
        st.rerun()


def _duplicate(config: RunConfig) -> None:
    forms.prefill(config)
    st.session_state["train-note"] = (
        "The form now holds the settings of this run. Change what you like, then press Start."
    )


def remove_menu(run_id: str) -> bool:
    """A question before a run leaves the list; True when it was answered with yes."""
    with st.popover(":material/delete:", key="run-more", help="Take this run off the list."):
        st.markdown("Its folder moves into `.removed` in the run store; nothing is deleted.")
        return st.button(
            "Remove from the list",
            key="run-remove",
            on_click=attempt,
            args=(partial(remove, run_id),),
            help="The run disappears from all lists; moving its folder back returns it.",
        )

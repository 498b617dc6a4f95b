"""Long work that makes a record of a model: started by a button, then shown with progress."""

from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from app.parts import live
from app.services.work import Task

if TYPE_CHECKING:
    from vae_core.basics.progress import Step
    from vae_core.runs.judging import Kept

T = TypeVar("T")
_REQUESTED = "score-requested"


def made(task: "Task[Step[Kept[T]]]") -> "Kept[T] | None":
    """Result of the task; None before it is finished."""
    bench = live.bench()
    state = bench.latest(task) if bench.finished(task) else None
    return None if state is None else state.result


def begin(
    task: "Task[Step[Kept[T]]]", key: str, why: str, label: str, icon: str, about: str
) -> None:
    """Draw a button that starts the task or, after it was pressed, the progress.

    Args:
        key: widget key of the button and the progress.
        why: sentence above the button.
        about: help text of the button.
    """
    requested: set[object] = st.session_state.setdefault(_REQUESTED, set())
    if task.key in requested or live.bench().latest(task) is not None:
        live.panel([task], lambda _: None, key)
        return
    st.markdown(why)
    st.button(
        label, on_click=requested.add, args=(task.key,), key=f"{key}-start", icon=icon, help=about
    )

"""Long work on a record of a model that is begun by a button, then shown with its progress."""

from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from app.parts import live
from app.services.work import Task

if TYPE_CHECKING:
    from vae_core.basics.progress import Step
    from vae_core.runs.judging import Kept

T = TypeVar("T")
_ASKED = "score-asked"


def made(task: "Task[Step[Kept[T]]]") -> "Kept[T] | None":
    """The record that the task made; None before it is finished."""
    bench = live.bench()
    state = bench.latest(task) if bench.finished(task) else None
    return None if state is None else state.result


def begin(
    task: "Task[Step[Kept[T]]]", key: str, why: str, label: str, icon: str, about: str
) -> None:
    """Draw a button that begins the task or, once it was pressed, the progress.

    Args:
        key: names the button and the progress on the page.
        why: a sentence above the button.
        about: help of the button.
    """
    asked: set[object] = st.session_state.setdefault(_ASKED, set())
    if task.key in asked or live.bench().latest(task) is not None:
        live.panel([task], lambda _: None, key)
        return
    st.markdown(why)
    st.button(
        label, on_click=asked.add, args=(task.key,), key=f"{key}-start", icon=icon, help=about
    )

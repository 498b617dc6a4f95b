"""Long work on a record of a model that is begun by a button, then shown with its progress."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import streamlit as st

from app.parts import live
from app.services.work import Task

if TYPE_CHECKING:
    from vae_core.runs.judging import Kept

T = TypeVar("T")
_ASKED = "score-asked"


@dataclass(frozen=True)
class Making(Generic[T]):
    """How far the work on a record is, 0 to 1; the record exists at its end."""

    share: float
    kept: "Kept[T] | None" = None


def states(steps: "Generator[float, None, Kept[T]]") -> Iterator[Making[T]]:
    """Turn steps that yield their share into the states of a task."""
    while True:
        try:
            yield Making(next(steps))
        except StopIteration as last:
            yield Making(1.0, last.value)
            return


def made(task: Task[Making[T]]) -> "Kept[T] | None":
    """The record that the task made; None before it is finished."""
    bench = live.bench()
    state = bench.latest(task) if bench.finished(task) else None
    return None if state is None else state.kept


def begin(task: Task[Making[T]], key: str, why: str, label: str, icon: str, about: str) -> None:
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

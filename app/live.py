"""A panel that shows what long tasks have found so far, with a progress bar and a Stop button."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app.train_estimate import duration
from app.work import Bench, Known, Task

SLICE, TICK = 0.35, 0.5  # seconds of work before the page is drawn again, and between two draws
_RESULTS = 400  # of all visitors


@st.cache_resource(show_spinner=False)
def _results() -> Known[Any]:
    return Known(_RESULTS)


def bench() -> Bench:
    """Where this session's tasks are done; finished ones are shared by all sessions."""
    if "bench" not in st.session_state:
        st.session_state["bench"] = Bench(_results())
    return st.session_state["bench"]


def panel(tasks: Sequence[Task[Any]], show: Callable[[Bench], None], key: str) -> None:
    """Do the tasks, and call ``show`` again and again until they are done or stopped.

    Args:
        tasks: done in this order. What takes less than a third of a second needs no progress bar.
        show: draws what the bench knows of them.
        key: names the panel on its page.
    """
    own = bench()
    own.advance(tasks, SLICE)
    ticking = own.working(tasks)
    st.fragment(_drawn, run_every=TICK if ticking else None)(tasks, show, key, ticking)


def _drawn(
    tasks: Sequence[Task[Any]], show: Callable[[Bench], None], key: str, ticking: bool
) -> None:
    own = bench()
    if own.working(tasks) != ticking:
        st.rerun()  # stopped or taken up again: the fragment's clock is set by the page
    with st.container(key=f"{key}-progress"):  # stays, so that nothing below moves in the tree
        _progress(own, tasks, key)
    show(own)
    if ticking:
        own.advance(tasks, SLICE)
        if not own.working(tasks):
            st.rerun()


def _progress(own: Bench, tasks: Sequence[Task[Any]], key: str) -> None:
    task = own.current(tasks)
    if task is None:
        return
    stopped = own.stopped(task)
    bar, button = st.columns([8, 2], vertical_alignment="center")
    bar.progress(own.share(task), _how_far(own, tasks, task, stopped))
    act, label, about = (
        (own.go_on, "Go on", "Takes the work up again where it was stopped.")
        if stopped
        else (own.stop, "Stop", "Keeps what there is so far and leaves the rest.")
    )
    button.button(
        label, on_click=act, args=(tasks,), key=f"{key}-stop", width="stretch", help=about
    )


def _how_far(own: Bench, tasks: Sequence[Task[Any]], task: Task[Any], stopped: bool) -> str:
    if stopped:
        return f"{task.title}: stopped at {own.share(task):.0%}"
    left = own.seconds_left(task)
    time_left = "" if left is None else f", about {duration(left)} to go"
    waiting = sum(not own.finished(each) for each in tasks) - 1
    return f"{task.title}{time_left}" + (f"; then {waiting} more" if waiting else "")

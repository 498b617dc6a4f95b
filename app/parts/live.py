"""Long work on a page: its latest results are redrawn while it runs, and it can be stopped."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import streamlit as st

from app.parts.text import duration
from app.services.work import Bench, Known, Queue, Running, State, Task
from app.shell import errors

SLICE, TICK = 0.35, 0.5  # seconds of work before each draw, and between two draws
_RESULTS, _UNDER_WAY = 400, 128  # kept at most, for all sessions
_BUTTONS: dict[State, tuple[str, str]] = {
    "working": ("Stop", "Stops the work and keeps the results so far."),
    "stopped": ("Go on", "Continues the work where it was stopped."),
    "failed": ("Try again", "Starts the failed work again; finished results are kept."),
}


class Work(Protocol):
    """Work that can be watched: a ``Sliced`` or a ``Queue`` of :mod:`app.services.work`."""

    @property
    def state(self) -> State: ...
    @property
    def working(self) -> bool: ...
    @property
    def share(self) -> float: ...
    @property
    def seconds_left(self) -> float | None: ...
    def advance(self, seconds: float) -> None: ...
    def stop(self) -> None: ...
    def go_on(self) -> None: ...


def watch(work: Work, draw: Callable[[], None]) -> None:
    """Do the work in time slices and call ``draw`` after each, until it is done or stopped.

    Work for one slice before the first draw, so that short tasks appear finished at once. If the
    work already has a partial result, draw that first and continue afterwards.
    """
    draw_first = work.share > 0
    if not draw_first:
        work.advance(SLICE)
    ticking = work.working

    def drawn() -> None:
        nonlocal draw_first
        if work.working != ticking:
            st.rerun()  # stopped or continued: only the page can change the fragment's timer
        draw()
        if ticking and not draw_first:
            work.advance(SLICE)
            if not work.working:
                st.rerun()
        draw_first = False

    st.fragment(drawn, run_every=TICK if ticking else None)()


def control(work: Work, text: str, key: str) -> None:
    """Draw the progress of unfinished work, and a button: to stop, to go on, or to try again.

    Args:
        text: the progress in words; for failed work, a sentence that says why.
    """
    bar, button = st.columns([8, 2], vertical_alignment="center")
    if work.state == "failed":
        bar.error(text)
    else:
        left = work.seconds_left if work.working else None
        bar.progress(work.share, text + ("" if left is None else f", about {duration(left)} to go"))
    label, about = _BUTTONS[work.state]
    button.button(
        label, on_click=work.stop if work.working else work.go_on, key=f"{key}-stop",
        width="stretch", help=about,
    )  # fmt: skip


# ---- tasks


@st.cache_resource(show_spinner=False)
def _shared() -> tuple[Known[Any], Known[Running[Any]]]:
    """Results and unfinished tasks of all sessions, so that work survives a reload."""
    return Known(_RESULTS), Known(_UNDER_WAY)


def bench() -> Bench:
    """Return the bench of this session; all sessions share results and unfinished tasks."""
    if "bench" not in st.session_state:
        st.session_state["bench"] = Bench(*_shared())
    return st.session_state["bench"]


def panel(tasks: Sequence[Task[Any]], show: Callable[[Bench], None], key: str) -> None:
    """Do the tasks in time slices and call ``show`` after each, until they are done or stopped.

    Args:
        tasks: done in this order. Tasks of less than a third of a second show no progress bar.
        show: draws the results and latest states that the bench has.
        key: name of the panel on its page.
    """
    queue = Queue(bench(), tasks)

    def draw() -> None:
        with st.container(key=f"{key}-progress"):  # always there, so that elements below keep place
            _progress(queue, key)
        show(queue.bench)

    watch(queue, draw)


def _progress(queue: Queue, key: str) -> None:
    failures = "  \n".join(f"{t}: {errors.sentence(e)}" for t, e in queue.failures.items())
    if queue.state == "failed":
        control(queue, failures, key)
        return
    if failures:
        st.error(failures)
    if queue.current is not None:
        control(queue, _progress_text(queue, queue.current), key)


def _progress_text(queue: Queue, task: Task[Any]) -> str:
    if queue.state == "stopped":
        return f"{task.title}: stopped at {queue.share:.0%}"
    waiting = sum(queue.bench.state(each) == "working" for each in queue.tasks) - 1
    return task.title + (f" (then {waiting} more)" if waiting else "")

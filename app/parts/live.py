"""Long work on a page: what it has found so far, drawn again and again, with a way to stop it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import streamlit as st

from app.parts.text import duration
from app.services.work import Bench, Known, Queue, Running, State, Task
from app.shell import errors

SLICE, TICK = 0.35, 0.5  # seconds of work before the page is drawn again, and between two draws
_RESULTS, _UNDER_WAY = 400, 128  # of all visitors
_BUTTONS: dict[State, tuple[str, str]] = {
    "working": ("Stop", "Keeps what there is so far and leaves the rest."),
    "stopped": ("Go on", "Takes the work up again where it was stopped."),
    "failed": ("Try again", "Begins what failed anew; what is finished is kept."),
}


class Work(Protocol):
    """What can be watched: a ``Sliced`` or a ``Queue`` of :mod:`app.services.work`."""

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
    """Do the work, and call ``draw`` again and again until it is done or stopped.

    What takes less than a slice is done before it is drawn for the first time. What was begun on
    an earlier visit has something to show: it is drawn at once, and gone on with afterwards.
    """
    resting = work.share > 0
    if not resting:
        work.advance(SLICE)
    ticking = work.working

    def drawn() -> None:
        nonlocal resting
        if work.working != ticking:
            st.rerun()  # stopped or taken up again: the fragment's clock is set by the page
        draw()
        if ticking and not resting:
            work.advance(SLICE)
            if not work.working:
                st.rerun()
        resting = False

    st.fragment(drawn, run_every=TICK if ticking else None)()


def control(work: Work, text: str, key: str) -> None:
    """How far work is that is not done, and a button: to stop it, go on, or try again.

    Args:
        text: what is done so far; of what has failed, the sentence that says so.
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
    """Results and what is under way: of the server, so that a reload goes on with its work."""
    return Known(_RESULTS), Known(_UNDER_WAY)


def bench() -> Bench:
    """Where this session's tasks are done; their work is shared by all sessions."""
    if "bench" not in st.session_state:
        st.session_state["bench"] = Bench(*_shared())
    return st.session_state["bench"]


def panel(tasks: Sequence[Task[Any]], show: Callable[[Bench], None], key: str) -> None:
    """Do the tasks, and call ``show`` again and again until they are done or stopped.

    Args:
        tasks: done in this order. What takes less than a third of a second needs no progress bar.
        show: draws what the bench knows of them.
        key: names the panel on its page.
    """
    queue = Queue(bench(), tasks)

    def draw() -> None:
        with st.container(key=f"{key}-progress"):  # stays, so that nothing below moves in the tree
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
        control(queue, _how_far(queue, queue.current), key)


def _how_far(queue: Queue, task: Task[Any]) -> str:
    if queue.state == "stopped":
        return f"{task.title}: stopped at {queue.share:.0%}"
    waiting = sum(queue.bench.state(each) == "working" for each in queue.tasks) - 1
    return task.title + (f" (then {waiting} more)" if waiting else "")

"""Long work on a page: its latest results are redrawn while it runs, and it can be stopped."""

import threading
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Protocol

import streamlit as st

from app.parts.text import duration
from app.services.scheduler import scheduler
from app.services.work import Bench, Known, Queue, Running, State, Task
from app.shell import errors, sessions

PATIENCE, TICK = 0.35, 0.5  # seconds before the first draw of new work, and between two draws
_RESULTS, _UNDER_WAY = 400, 128  # kept at most, for all sessions
_visits = count(1)
_script = threading.local()
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


def watch(work: Work, draw: Callable[[], None], name: str) -> None:
    """Have the work done by the server's threads and call ``draw`` again and again meanwhile.

    New work is waited for a little before the first draw, so that short tasks appear finished at
    once. If the work already has a partial result, that is drawn first.

    Args:
        name: place of the work on its page.
    """
    visitor, visit = _visitor(), getattr(_script, "visit", None)

    def want_and_draw() -> None:
        if work.working:  # at every tick, so that work is never waited for that nobody does
            scheduler().want(visitor, name, work, visit)
        draw()

    if work.working and work.share == 0:
        scheduler().want(visitor, name, work, visit)
        scheduler().wait(work, PATIENCE)
    follow(work, want_and_draw)


def follow(work: Work, draw: Callable[[], None]) -> None:
    """Call ``draw`` now, and again and again as long as the work goes on elsewhere."""
    ticking = work.working

    def drawn() -> None:
        if work.working != ticking:
            st.rerun()  # stopped, continued or done: only the page can change the fragment's timer
        draw()

    st.fragment(drawn, run_every=TICK if ticking else None)()


def enter() -> None:
    """Let the work rest that the page wanted before; the script that begins now wants its own.

    Called first of all. Streamlit may begin a script while the thread of the last one still runs.
    """
    _script.visit = next(_visits)
    scheduler().enter(_visitor(), _script.visit)


def _visitor() -> str:
    return sessions.visitor() or "no session"


def to_go(seconds: float) -> str:
    """Say how long work will still take."""
    return f"about {duration(seconds)} to go"


def control(work: Work, text: str, key: str) -> None:
    """Draw the progress of unfinished work, and a button: to stop, to go on, or to try again.

    Nothing is drawn if the work has ended since the page asked.

    Args:
        text: the progress in words; for failed work, a sentence that says why.
    """
    state = work.state  # once: a thread may change it at any time
    if state == "done":
        return
    bar, button = st.columns([8, 2], vertical_alignment="center")
    if state == "failed":
        bar.error(text)
    else:
        left = work.seconds_left if state == "working" else None
        bar.progress(work.share, text + ("" if left is None else f", {to_go(left)}"))
    label, about = _BUTTONS[state]
    # Two buttons: a click that arrives twice, around a redraw, must not stop the work and go on.
    change, name = (work.stop, "stop") if state == "working" else (work.go_on, "go-on")
    with button.container(key=f"{key}-control"):
        st.button(label, on_click=change, key=f"{key}-{name}", width="stretch", help=about)


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
    """Have the tasks done, and call ``show`` again and again until they are done or stopped.

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

    watch(queue, draw, key)


def _progress(queue: Queue, key: str) -> None:
    current, state = queue.current, queue.state
    failures = "  \n".join(f"{t}: {errors.sentence(e)}" for t, e in queue.failures.items())
    if state == "failed":
        control(queue, failures, key)
        return
    if failures:
        st.error(failures)
    if current is not None:
        control(queue, _progress_text(queue, current, state), key)


def _progress_text(queue: Queue, task: Task[Any], state: State) -> str:
    if state == "stopped":
        return f"{task.title}: stopped at {queue.share:.0%}"
    waiting = sum(queue.bench.state(each) == "working" for each in queue.tasks) - 1
    return task.title + (f" (then {waiting} more)" if waiting > 0 else "")

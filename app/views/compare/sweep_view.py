"""A sweep on the Compare page: its state, what can be done with it, and its figures."""

from functools import partial
from typing import Any

import streamlit as st

from app.parts import attempts
from app.parts.value_inputs import values_input
from app.services import sweeps
from app.shell import errors
from app.views.compare import sweep_figures
from vae_core.basics.errors import UserError
from vae_core.runs.sweeps import DamagedSweep, Progress, Sweep
from vae_core.settings.config import explain
from vae_core.settings.grid import SEED

_PARAMETER, _CHOSEN, _NOTE = "sweep", "compare-sweep", "compare-note"
_RUNS = "Runs that I choose"
_EVERY = 2.0  # seconds between two looks at a sweep that trains
_ORDER = ("running", "queued", "done", "paused", "stopped", "failed", "missing", "damaged")


def pick() -> Sweep | None:
    """Draw the choice between single runs and a sweep; it is kept in the address."""
    found = {each.id: each for each in sweeps.entries()}
    linked = st.query_params.get(_PARAMETER, "")
    if linked and linked not in found:
        reason = sweeps.get(linked)
        said = reason.reason if isinstance(reason, DamagedSweep) else ""
        st.caption(f":orange[{errors.plain(said)}]")
    if not found:
        return None
    if linked in found and linked != st.session_state.get(f"{_CHOSEN}-seen"):
        st.session_state[_CHOSEN] = linked
    elif "runs" in st.query_params and not linked:
        st.session_state[_CHOSEN] = ""
    if st.session_state.get(_CHOSEN) not in found:
        st.session_state[_CHOSEN] = ""
    chosen = st.selectbox(
        "Compare",
        ["", *found],
        format_func=lambda key: _RUNS if key not in found else _label(found[key]),
        key=_CHOSEN,
        persist_state="session",
        on_change=_forget_runs,
        help="Single runs side by side, or a sweep with all of its runs.",
    )
    st.session_state[f"{_CHOSEN}-seen"] = chosen or ""
    if chosen:
        if linked != chosen:
            st.query_params[_PARAMETER] = chosen
    elif _PARAMETER in st.query_params:
        del st.query_params[_PARAMETER]
    sweep = found.get(chosen or "")
    if isinstance(sweep, DamagedSweep):
        st.warning(errors.plain(sweep.reason))
        return None
    return sweep


def _forget_runs() -> None:
    if st.session_state[_CHOSEN] and "runs" in st.query_params:
        del st.query_params["runs"]


def _label(found: Sweep | DamagedSweep) -> str:
    return f"Sweep {found.title} · {found.id[:15]}" if isinstance(found, Sweep) else found.id


def show(sweep: Sweep) -> None:
    """Draw a sweep, again and again while its runs train."""
    attempts.show_note(_NOTE)
    busy = sweeps.progress(sweep).unfinished

    def drawn() -> None:
        state = sweeps.progress(sweep)
        if state.unfinished != busy:
            st.rerun()  # only the page can change the timer of this part
        _head(sweep, state)
        sweep_figures.show(sweep, state)

    st.fragment(drawn, run_every=_EVERY if busy else None)()


def _head(sweep: Sweep, state: Progress) -> None:
    with st.container(key="sweep-head", horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(errors.plain(sweep.title), anchor=False, width="content")
        _buttons(sweep, state)
    counts = [f"{state.counts[name]} {name}" for name in _ORDER if name in state.counts]
    text = f"{len(state.members)} runs: {', '.join(counts)}"
    if state.share < 1 or state.unfinished:
        st.progress(state.share, text=text)
    else:
        st.caption(text)
    problems = dict.fromkeys(
        member.problem or (member.status.error if member.status else "") for member in state.members
    )
    with st.container(key="sweep-problems"):  # always there, as below
        for problem in [each for each in problems if each][:3]:
            st.warning(errors.plain(problem))


def _buttons(sweep: Sweep, state: Progress) -> None:
    store = sweeps.store()
    pressed = False
    if state.unfinished:
        pressed |= st.button(
            "Pause", key="sweep-pause", icon=":material/pause:",
            help="Saves the run that trains and keeps the others waiting. Go on continues.",
            on_click=attempts.attempt, args=(partial(store.pause, sweep), _NOTE),
        )  # fmt: skip
        pressed |= st.button(
            "Stop", key="sweep-stop", icon=":material/stop:",
            help="Ends all runs here. Models so far can be used.",
            on_click=attempts.attempt, args=(partial(store.stop, sweep), _NOTE),
        )  # fmt: skip
    elif state.can_go_on:
        pressed |= st.button(
            "Go on", key="sweep-resume", icon=":material/play_arrow:",
            help="Queues the runs that are not done. No finished epoch is repeated.",
            on_click=attempts.attempt, args=(partial(sweeps.resume, sweep), _NOTE),
        )  # fmt: skip
    with st.popover("Add values", icon=":material/add:", key="sweep-extend"):
        pressed |= _extend(sweep)
    if not state.unfinished:
        with st.popover(":material/delete:", key="sweep-more", help="Remove this sweep."):
            st.markdown(
                "The folders of its runs and the file of the sweep move to `.removed` in the run "
                "store. Nothing is deleted."
            )
            pressed |= st.button(
                "Remove the sweep", key="sweep-remove",
                on_click=attempts.attempt, args=(partial(_remove, sweep), _NOTE),
                help="The sweep and its runs disappear from all lists.",
            )  # fmt: skip
    if pressed:
        st.rerun()


def _extend(sweep: Sweep) -> bool:
    """Draw the inputs for more values; return whether they were added."""
    st.caption("Runs that exist are kept; only new combinations are trained.")
    more, problem = _more_values(sweep)
    new = 0
    try:
        new = len(sweep.grid.with_more(more).points) - len(sweep.planned) if more else 0
    except UserError as error:
        problem = problem or str(error)
    if problem:
        st.error(errors.plain(problem))
    return st.button(
        f"Add {new} runs" if new != 1 else "Add 1 run",
        key="sweep-add",
        disabled=new < 1 or bool(problem),
        on_click=attempts.attempt,
        args=(partial(_add, sweep, more), _NOTE),
        help="Adds the new combinations to the queue.",
    )


def _more_values(sweep: Sweep) -> tuple[dict[str, list[Any]], str]:
    """Draw the inputs; return the values, and what is wrong with them."""
    more: dict[str, list[Any]] = {}
    problem = ""
    for name, known in sweep.grid.values.items():
        about = explain(name)
        if name == SEED:
            count = st.number_input("More seeds", 0, 20, 0, key="sweep-more-seeds")
            more[name] = [max(known) + 1 + i for i in range(int(count))]
        elif about.choices is None or set(known) != set(about.choices):
            label, key = f"More: {about.label}", f"sweep-more-{sweep.id}-{name}"
            try:
                more[name] = values_input(about, key, (), label)
            except UserError as error:
                problem = problem or str(error)
    return {name: some for name, some in more.items() if some}, problem


def _add(sweep: Sweep, more: dict[str, list[Any]]) -> None:
    sweeps.extend(sweep, more)
    for key in [k for k in st.session_state if str(k).startswith("sweep-more-")]:
        del st.session_state[key]


def _remove(sweep: Sweep) -> None:
    target = sweeps.store().remove(sweep)
    st.session_state.pop(_CHOSEN, None)
    st.session_state[_NOTE] = f"Removed. The file of the sweep is now {target}."
    if _PARAMETER in st.query_params:
        del st.query_params[_PARAMETER]

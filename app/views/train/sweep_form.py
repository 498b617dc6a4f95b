"""The part of the Train form that starts a sweep: several values of some settings."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.parts.value_inputs import values_input
from app.services import runs as runs_service
from app.services import sweeps
from app.shell import errors, navigation
from app.views.train import estimate
from vae_core.basics.devices import DeviceError
from vae_core.basics.errors import UserError
from vae_core.runs.run import RunError
from vae_core.runs.store import RunNotCreated
from vae_core.settings.config import explain
from vae_core.settings.fields import ConfigError
from vae_core.settings.grid import SEED, SWEEPABLE, Grid
from vae_core.wording.sweep import cost_sentence

_FIRST = {"posterior": ("mean-field", "full", "iaf"), "latent_size": (2, 8)}
"""Settings that vary at first, and their values."""
_SEEDS, _MOST_SEEDS = 3, 20


def show(values: Mapping[str, Any]) -> None:
    """Draw the part of the form.

    Args:
        values: settings of the form, which the runs take where nothing varies.
    """
    fold = st.expander("Sweep: several values", icon=":material/grid_view:", key="sweep-form")
    with fold:
        st.caption(
            "Trains a model for each combination, and puts all of them into one picture. What "
            "does not vary is as in the form above."
        )
        grid = known = None
        try:
            grid = _grid(values)
            known = None if grid is None else _costs(grid)
        except UserError as error:
            st.error(errors.plain(str(error)))
            grid = None
        if grid is None:
            st.caption("Choose two values of a setting or more.")
        elif known is not None:
            said = cost_sentence(len(grid.points), known.seconds, known.disk)
            st.markdown(f"{said}.", help=f"Estimated from {errors.plain(known.basis)}.")
        pressed = st.button(
            "Start the sweep",
            icon=":material/play_arrow:",
            width="stretch",
            disabled=known is None,
            key="start-sweep",
            help="Adds all runs to the queue. They can be paused, stopped and removed as one.",
        )
    if pressed and grid is not None and known is not None:
        _ask_or_start(grid, values, known)
    elif grid is not None and st.session_state.get("sweep-asked") == grid:
        _ask(grid, values, known)


def _grid(values: Mapping[str, Any]) -> Grid | None:
    """Draw the inputs; None as long as nothing varies.

    Raises:
        ConfigError: for values that cannot be used.
    """
    names = {each.name: each for each in SWEEPABLE if each.name != SEED}
    st.session_state.setdefault("sweep-settings", list(_FIRST))
    chosen = st.multiselect(
        "Settings that vary",
        list(names),
        format_func=lambda name: names[name].label,
        key="sweep-settings",
        persist_state="session",
        placeholder="Choose settings",
        help="Each of them takes several values; every combination is trained.",
    )
    several: dict[str, list[Any]] = {}
    problem: ConfigError | None = None
    for name in chosen:
        about = names[name]
        first = _FIRST.get(name, (values.get(name, about.default),))
        try:
            several[name] = values_input(about, f"sweep-{name}", first)
        except ConfigError as error:
            problem = problem or error
    seeds = st.number_input(
        "Seeds", 1, _MOST_SEEDS, _SEEDS, key="sweep-seeds", persist_state="session",
        help="Runs of each combination, each with another seed. Their spread tells what a "
        "difference is worth: with one seed it may be chance.",
    )  # fmt: skip
    if problem is not None:
        raise problem
    several = {name: some for name, some in several.items() if some}
    first_seed = values.get(SEED, explain(SEED).default)
    several[SEED] = list(range(first_seed, first_seed + int(seeds)))
    kept = {n: v for n, v in values.items() if n not in several and n != "title"}
    if "likelihood" in several:  # each has pixels of its own
        kept.pop("binarisation", None)
    grid = Grid.of(kept, several)
    return grid if len(grid.points) > 1 else None


def _costs(grid: Grid) -> estimate.SweepEstimate | None:
    """Estimate the cost of all runs; None if their device does not exist, which is said above."""
    configs = [point.config for point in grid.points]
    try:
        return estimate.estimate_sweep(configs, runs_service.newest(estimate.EARLIER_RUNS))
    except DeviceError:
        return None


def _ask_or_start(grid: Grid, values: Mapping[str, Any], known: estimate.SweepEstimate) -> None:
    if known.large is None:
        _start(grid, values)
        return
    st.session_state["sweep-asked"] = grid
    _ask(grid, values, known)


def _ask(grid: Grid, values: Mapping[str, Any], known: estimate.SweepEstimate | None) -> None:
    """Ask whether a sweep is meant that would take very long."""
    if known is None or known.large is None:
        return
    st.warning(errors.plain(known.large))
    if st.button("Start the sweep anyway", key="start-sweep-anyway", icon=":material/play_arrow:"):
        del st.session_state["sweep-asked"]
        _start(grid, values)


def _start(grid: Grid, values: Mapping[str, Any]) -> None:
    """Queue the sweep and show it. If that is not possible, say why."""
    try:
        made = sweeps.start(grid, values.get("title", ""))
    except (RunNotCreated, RunError, ConfigError) as error:
        st.error(errors.plain(str(error)))
        return
    navigation.go("compare", sweep=made.id)

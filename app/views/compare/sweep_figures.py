"""The figures of a sweep: a grid of cells, a figure against a number, all runs, and exports."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.figures import sweep as figures
from app.figures.sweep import Dimension, Series, Square
from app.parts import charts, tables, widgets
from app.parts.glossary import see
from app.services import sweeps
from app.shell import errors, navigation
from app.views.compare.linked import choose
from vae_core.basics.strict_json import strict_json
from vae_core.basics.tables import csv_text
from vae_core.runs.comparison import FIGURES
from vae_core.runs.sweep_figures import (
    Cell,
    SweepFigures,
    cell_name,
    sweep_columns,
    sweep_record,
    value_words,
)
from vae_core.runs.sweeps import Progress, Sweep
from vae_core.settings.config import explain
from vae_core.settings.grid import SEED, SHORT
from vae_core.wording.command import command
from vae_core.wording.comparison import TITLES, figure_in_words
from vae_core.wording.numbers import in_hundredths, number, typeset

_CELL = "compare-sweep-cell"


def show(sweep: Sweep, state: Progress) -> None:
    """Draw all figures of a sweep as far as its runs are scored."""
    found = sweeps.figures(state)
    axes = [name for name in sweep.axes if name != SEED]
    varying = [name for name in axes if len(sweep.grid.values[name]) > 1] or axes[:1]
    with st.container(key="sweep-choices"):
        name = choose("Figure", list(FIGURES), "figure", TITLES.__getitem__)
        rows, columns = _pick_axes(varying)
        fixed = _pick_others(found, [each for each in varying if each not in (rows, columns)])
    shown = [cell for cell in found.cells if all(cell.values[n] == v for n, v in fixed.items())]
    with st.container(key="sweep-waiting"):  # always there, so that elements below keep their place
        if found.group is None:
            st.caption("The grid fills as soon as the first run is done.")
    left, right = st.columns([1, 1], gap="large")
    with left:
        _grid(shown, rows, columns, name)
        _chosen_cell(sweep, found)
    with right:
        _against(found, varying, name)
    _words(found, name)
    _parallel(sweep, state, found, varying, name)
    _table(found)
    _export(sweep, state, found)


# ---- which axes


def _pick_axes(varying: Sequence[str]) -> tuple[str, str]:
    """Names of the settings in the rows and the columns; empty where there are too few."""
    if len(varying) < 2:
        return "", varying[0] if varying else ""
    if len(varying) == 2:
        return varying[0], varying[1]
    label = _labels(varying)
    rows = choose("Rows", varying, "rows", label.__getitem__)
    others = [each for each in varying if each != rows]
    return rows, choose("Columns", others, "columns", label.__getitem__)


def _pick_others(found: SweepFigures, others: Sequence[str]) -> dict[str, Any]:
    """Choose one value of each setting that is neither in the rows nor in the columns."""
    fixed = {}
    for name in others:
        values = list(dict.fromkeys(cell.values[name] for cell in found.cells))
        words = {value_words(name, value): value for value in values}
        fixed[name] = words[
            st.selectbox(
                explain(name).label, list(words), key=f"compare-sweep-{name}", required=True,
                help="The grid shows the combinations with this value.",
            )
        ]  # fmt: skip
    return fixed


def _labels(names: Sequence[str]) -> dict[str, str]:
    return {name: explain(name).label for name in names}


# ---- the grid


def _grid(cells: Sequence[Cell], rows: str, columns: str, name: str) -> None:
    row_values, column_values = _values(cells, rows), _values(cells, columns)
    squares = [
        Square(
            row_values.index(cell.values.get(rows)),
            column_values.index(cell.values.get(columns)),
            cell.figures[name].value,
            _cell_text(cell, name),
            _about(cell, name),
        )
        for cell in cells
    ]
    label = _labels([each for each in (rows, columns) if each])
    figure = figures.grid_figure(
        squares,
        [_tick(rows, value) for value in row_values],
        [_tick(columns, value) for value in column_values],
        f"{TITLES[name]}, mean over seeds",
        (label.get(rows, ""), label.get(columns, "")),
    )
    event = charts.chart(
        figure,
        "compare-sweep-grid",
        f"{TITLES[name]} of {len(cells)} combinations: "
        + "; ".join(f"{cell.name} {_cell_text(cell, name)}" for cell in cells[:12]),
        on_select="rerun",
        csv={
            "combination": [cell.name for cell in cells],
            name: [cell.figures[name].value for cell in cells],
            f"{name}_se": [cell.figures[name].se for cell in cells],
        },
    )
    points = event["selection"]["points"] if event else []
    if points and (place := points[0].get("customdata")) is not None:
        place = place[0] if isinstance(place, list) else place
        st.session_state[_CELL] = cells[int(place)].name
    st.caption("Click a cell to see its runs.")


def _values(cells: Sequence[Cell], name: str) -> list[Any]:
    return list(dict.fromkeys(cell.values.get(name) for cell in cells)) or [None]


def _tick(name: str, value: Any) -> str:
    if not name:
        return ""
    about = explain(name)
    return value_words(name, value) if about.choices or value is None else f"{value:g}"


def _cell_text(cell: Cell, name: str) -> str:
    each = cell.figures[name]
    if not each.seeds:
        return "waiting"
    decimals = 3 if name == "bits_per_dim" else 2
    error = "" if math.isnan(each.se) else f"<br>± {each.se:.{decimals}f}"
    missing = "" if each.seeds == cell.planned else f"<br>{each.seeds} of {cell.planned}"
    return typeset(each.value, f",.{decimals}f") + error + missing


def _about(cell: Cell, name: str) -> str:
    each = cell.figures[name]
    if not each.seeds:
        return f"{cell.name}<br>no run is scored yet"
    if each.seeds == 1:
        return f"{cell.name}<br>{number(each.value, each.se)}<br>1 seed, error over images"
    spread = f"spread {each.spread:.2g} over {each.seeds} seeds"
    return f"{cell.name}<br>{number(each.value, each.se)}<br>{spread}"


def _chosen_cell(sweep: Sweep, found: SweepFigures) -> None:
    """Links to the runs of the cell that was clicked."""
    wanted = st.session_state.get(_CELL)
    cell = next((cell for cell in found.cells if cell.name == wanted), None)
    if cell is None:
        return
    planned = [p for p in sweep.planned if _without_seed(p.values) == cell.values]
    scored = {each.run.id: each.figures for each in found.comparison.runs if each.figures}
    with st.container(key="sweep-cell", border=True, gap="xxsmall"):
        st.markdown(f"**{errors.plain(cell.name)}**")
        for each in planned:
            label = "the run" if SEED not in each.values else f"seed {each.values[SEED]}"
            if (known := scored.get(each.id)) is not None:
                label += f": log p̂(x) {in_hundredths(known['log_px'], known['log_px_se'])}"
            navigation.link("train", label, run=each.id)
        if len(cell.runs) > 1:
            navigation.link("compare", "Put these runs side by side", runs=",".join(cell.runs))


def _without_seed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != SEED}


def _words(found: SweepFigures, name: str) -> None:
    """Say below the figures what can be told apart, and how everything was measured."""
    if found.group is None:
        return
    first, *others = found.sentences(name) or [""]
    if first:
        st.markdown(errors.plain(first))
    conditions = found.group.conditions
    protocol = conditions.protocol.text(pixels=conditions.pixels)
    if found.left_out:
        others.append(f"{found.left_out} of the runs were measured in another way: left out.")
    unit = "" if name == "bits_per_dim" else "Nats per image. "
    note = f"{unit}± is one standard error: over seeds, or over images where there is one seed."
    lines = [note + see("log-px-hat", "elbo", "kl"), errors.plain(protocol)]
    st.caption("  \n".join([*lines, *map(errors.plain, others)]))


# ---- a figure against a number


def _against(found: SweepFigures, varying: Sequence[str], name: str) -> None:
    numeric = [each for each in varying if explain(each).choices is None]
    if not numeric:
        st.caption("No number varies in this sweep, so there is no plot against one.")
        return
    along = numeric[0]
    if len(numeric) > 1:
        along = choose("Along", numeric, "along", _labels(numeric).__getitem__)
    series: dict[str, list[Cell]] = {}
    for cell in found.cells:
        if cell.values[along] is not None and cell.figures[name].seeds:
            others = {n: v for n, v in cell.values.items() if n != along and n in varying}
            series.setdefault(cell_name(others) if others else TITLES[name], []).append(cell)
    if not series:
        st.caption("The plot appears as soon as the first run is done.")
        return
    lines = [
        Series(
            label,
            [float(cell.values[along]) for cell in cells],
            [cell.figures[name].value for cell in cells],
            [cell.figures[name].se for cell in cells],
        )
        for label, cells in series.items()
    ]
    label = explain(along).label
    unit = "bits/dim" if name == "bits_per_dim" else f"{TITLES[name]} (nats)"
    charts.chart(
        figures.against_figure(lines, f"{TITLES[name]} against {label}", label, unit),
        "compare-sweep-against",
        f"{TITLES[name]} of {len(lines)} series against {label}, with standard errors.",
    )


# ---- all runs


def _parallel(
    sweep: Sweep, state: Progress, found: SweepFigures, varying: Sequence[str], name: str
) -> None:
    scored = {each.run.id: each for each in found.comparison.runs if each.figures}
    runs = [member for member in state.members if member.planned.id in scored]
    if len(runs) < 2:
        return
    dimensions = [_setting_axis(each, [m.planned.values[each] for m in runs]) for each in varying]
    if len(sweep.grid.values.get(SEED, ())) > 1:
        dimensions.append(_setting_axis(SEED, [m.planned.values[SEED] for m in runs]))
    shown = list(dict.fromkeys(["elbo", "kl", "log_px", name]))
    shown.remove(name)
    for each in (*shown, name):
        values = [_number(scored[m.planned.id].figures.get(each)) for m in runs]
        dimensions.append(Dimension(TITLES[each], values))
    charts.chart(
        figures.parallel_figure(
            dimensions, len(dimensions) - 1, f"All runs, coloured by {TITLES[name]}"
        ),
        "compare-sweep-parallel",
        f"A line for each of {len(runs)} runs through its settings and figures.",
        csv={each.label: _named(each) for each in dimensions},
    )
    st.caption("Drag along an axis to choose runs by their values; click the axis to undo.")


def _setting_axis(name: str, values: Sequence[Any]) -> Dimension:
    different = list(dict.fromkeys(values))
    if all(isinstance(value, int | float) for value in different):
        different.sort()
    ticks = [_tick(name, value) for value in different]
    return Dimension(
        SHORT.get(name, explain(name).label), [different.index(v) for v in values], ticks
    )


def _named(axis: Dimension) -> list[Any]:
    return [axis.ticks[int(v)] for v in axis.values] if axis.ticks else list(axis.values)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


# ---- table and exports


def _table(found: SweepFigures) -> None:
    with st.expander("Table of all combinations", key="sweep-table"):
        tables.table(
            {
                "Combination": [cell.name for cell in found.cells],
                "Seeds": [f"{c.figures['log_px'].seeds} of {c.planned}" for c in found.cells],
            }
            | {TITLES[name]: [_in_words(cell, name) for cell in found.cells] for name in FIGURES},
            hide_index=True,
            key="sweep-figures",
        )


def _in_words(cell: Cell, name: str) -> str:
    from vae_core.analysis.comparing import Mean

    each = cell.figures[name]
    return figure_in_words(name, Mean(each.value, each.se, 0))


def _export(sweep: Sweep, state: Progress, found: SweepFigures) -> None:
    with st.container(key="compare-export"):
        st.download_button(
            "CSV", lambda: csv_text(sweep_columns(found)), file_name="sweep.csv", mime="text/csv",
            on_click="ignore", icon=":material/table:", key="sweep-csv",
            help="Saves a row for each combination: mean, standard error and spread over seeds.",
        )  # fmt: skip
        st.download_button(
            "JSON", lambda: strict_json(sweep_record(sweep, state, found), indent=2) + "\n",
            file_name="sweep.json", mime="application/json", on_click="ignore",
            icon=":material/data_object:", key="sweep-json",
            help="Saves everything that `sweep --show` prints as JSON.",
        )  # fmt: skip
    text = f"{sweep_command(sweep)}\n{command('sweep', ['--show', sweep.id, '--json'])}"
    widgets.code(text, "Show the command", key="sweep-code")


def sweep_command(sweep: Sweep) -> str:
    """Write the command that makes the same sweep."""
    words: list[str] = []
    for name, value in {**sweep.grid.settings, **sweep.grid.values}.items():
        some = value if isinstance(value, tuple) else (value,)
        if name in sweep.grid.settings and value == explain(name).default and name != "dataset":
            continue
        words += [f"--{name.replace('_', '-')}", *map(str, some)]
    return command("sweep", words)

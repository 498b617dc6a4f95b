"""Figures of a sweep: a cell for each combination of settings, with mean and spread over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vae_core.analysis.comparing import LEVEL, Ranking
from vae_core.analysis.seeds import Basis, Repeated, basis_of, ranking_over_seeds, repeated
from vae_core.runs.comparison import FIGURES, RANKED, Compared, Comparison, Group, compare, compared
from vae_core.runs.sweeps import Progress, Sweep
from vae_core.settings.choices import POSTERIORS
from vae_core.settings.config import explain
from vae_core.settings.grid import SEED, SHORT
from vae_core.wording.comparison import setting_in_words
from vae_core.wording.sweep import sweep_sentences


@dataclass(frozen=True)
class Cell:
    """One combination of the settings of a sweep, over its seeds.

    Attributes:
        values: by the name of a setting, without the seed; None where a setting has no meaning.
        runs: the runs that have figures, by their keys.
        planned: number of seeds that the sweep has.
        figures: by name.
    """

    values: Mapping[str, Any]
    runs: tuple[str, ...]
    planned: int
    figures: Mapping[str, Repeated]

    @property
    def name(self) -> str:
        """The values in words, as forms say them."""
        return cell_name(self.values)


@dataclass(frozen=True)
class SweepFigures:
    """Figures of a sweep, as far as its runs have been scored.

    Attributes:
        comparison: of all runs that can be read, in the order of the sweep.
        group: figures that were measured alike; None before a run is scored.
        cells: one for each combination, in the order of the sweep.
        left_out: number of scored runs whose figures were measured in another way.
    """

    comparison: Comparison
    group: Group | None
    cells: tuple[Cell, ...]
    left_out: int

    @cached_property
    def rankings(self) -> Mapping[str, tuple[Ranking, Basis]]:
        """Rankings of the cells by log p̂(x) and ELBO; empty where these cannot be ranked."""
        if self.group is None or self.group.conditions.unranked:
            return {}
        found = {name: [cell.figures[name] for cell in self.cells] for name in RANKED}
        return {n: (ranking_over_seeds(each), basis_of(each)) for n, each in found.items()}

    def sentences(self, figure: str) -> list[str]:
        """Say which combination is best by a figure and what can be told apart.

        Figures that have no better direction are described by log p̂(x).
        """
        if self.group is None:
            return []
        by = figure if figure in RANKED else "log_px"
        if self.group.conditions.unranked:
            return [f"The combinations are not ranked. {self.group.conditions.unranked}"]
        ranking, basis = self.rankings[by]
        cells = [cell.figures[by] for cell in self.cells]
        return sweep_sentences([cell.name for cell in self.cells], cells, ranking, basis, by)


def figures_of(progress: Progress) -> SweepFigures:
    """Read the figures of all runs of a sweep."""
    runs = [member.run for member in progress.members if member.run is not None]
    return arranged(progress, compare([compared(run) for run in runs]))


def arranged(progress: Progress, comparison: Comparison) -> SweepFigures:
    """Arrange a comparison of the runs of a sweep by its combinations.

    Args:
        comparison: of the runs that can be read, in the order of ``progress``.
    """
    group = _first_group(comparison)
    places = {} if group is None else {index: i for i, index in enumerate(group.members)}
    numbers = iter(range(len(comparison.runs)))
    cells: dict[tuple[Any, ...], list[int | None]] = {}
    values: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for member in progress.members:
        own = {name: v for name, v in member.planned.values.items() if name != SEED}
        key = tuple(own.values())
        values[key] = own
        place = None if member.run is None else places.get(next(numbers))
        cells.setdefault(key, []).append(place)
    scored = sum(bool(each.figures) for each in comparison.runs)
    found = tuple(_cell(values[key], comparison, group, each) for key, each in cells.items())
    return SweepFigures(comparison, group, found, scored - len(places))


def _first_group(comparison: Comparison) -> Group | None:
    """The largest group of figures with draws from the encoder."""
    return next((g for g in comparison.groups if g.conditions.protocol.proposal != "refined"), None)


def _cell(
    values: Mapping[str, Any],
    comparison: Comparison,
    group: Group | None,
    places: Sequence[int | None],
) -> Cell:
    known = [place for place in places if place is not None]
    figures = {
        name: repeated([group.means[name][place] for place in known] if group else [])
        for name in FIGURES
    }
    keys = tuple(comparison.runs[group.members[p]].key for p in known) if group else ()
    return Cell(values, keys, len(places), figures)


def cell_name(values: Mapping[str, Any]) -> str:
    """Name a combination by its values in words: ``"Mean-field · d = 8"``."""
    words = [value_words(name, value) for name, value in values.items() if value is not None]
    return " · ".join(words) or "all settings alike"


def value_words(name: str, value: Any) -> str:
    """Name a value of a setting in few words: ``"Mean-field"``, ``"d = 8"``, ``"no T"``.

    A value that has a title is named by it alone.
    """
    about = explain(name)
    short = SHORT.get(name, about.label)
    if value is None:
        return f"no {short}"
    if name == "posterior":
        return POSTERIORS[value].short
    shown = setting_in_words(about, value)
    return shown if value in about.titles else f"{short} = {shown}"


# ---- for JSON and CSV


def sweep_record(sweep: Sweep, progress: Progress, found: SweepFigures) -> dict[str, Any]:
    """Convert a sweep and its figures to plain values. Figures that are not known are NaN."""
    group = found.group
    return {
        "sweep": sweep.id,
        "title": sweep.title,
        "states": dict(progress.counts),
        "settings": dict(sweep.grid.settings),
        "values": {name: list(values) for name, values in sweep.grid.values.items()},
        "runs": _runs(progress, found.comparison.runs),
        "protocol": None if group is None else group.conditions.protocol.to_dict(),
        "level": LEVEL,
        "cells": [_cell_record(cell) for cell in found.cells],
        "rankings": {
            name: {
                "errors": basis,
                "best": None if each.best is None else found.cells[each.best].values,
                "order": [found.cells[i].values for i in each.order],
                "not_told_apart_from_the_highest": [found.cells[i].values for i in each.leaders],
                "p_against_the_highest": [
                    float(each.differences.p[each.order[0], i]) for i in each.order[1:]
                ],
            }
            for name, (each, basis) in found.rankings.items()
        },
        "sentences": found.sentences("log_px"),
    }


def _runs(progress: Progress, scored: Sequence[Compared]) -> list[dict[str, Any]]:
    by_id = {each.run.id: each for each in scored}
    rows = []
    for member in progress.members:
        each = by_id.get(member.planned.id)
        rows.append({
            "id": member.planned.id,
            "values": dict(member.planned.values),
            "state": member.state,
            "seconds": member.status.seconds if member.status else None,
            "problem": member.problem or None,
            "evaluation": dict(each.figures) if each and each.figures else None,
        })  # fmt: skip
    return rows


def _cell_record(cell: Cell) -> dict[str, Any]:
    figures = {
        name: {"mean": each.value, "se": each.se, "spread": each.spread}
        for name, each in cell.figures.items()
    }
    seeds = cell.figures["log_px"].seeds
    return {"values": dict(cell.values), "seeds": seeds, "runs": list(cell.runs), **figures}


def sweep_columns(found: SweepFigures) -> dict[str, list[Any]]:
    """Convert the figures of a sweep to columns: a row for each combination."""
    rows = []
    for cell in found.cells:
        row: dict[str, Any] = {
            name: setting_in_words(explain(name), value) for name, value in cell.values.items()
        }
        row["seeds"] = cell.figures["log_px"].seeds
        for name, each in cell.figures.items():
            row |= {name: each.value, f"{name}_se": each.se, f"{name}_spread": each.spread}
        rows.append(row)
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}

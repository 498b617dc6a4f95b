"""Charts of a sweep."""

import math
from typing import Any

from app.figures.sweep import (
    Dimension,
    Series,
    Square,
    against_figure,
    grid_figure,
    parallel_figure,
)

SQUARES = [Square(0, 0, -20.0, "−20", "a"), Square(1, 1, math.nan, "waiting", "b")]


def test_the_grid_has_the_figure_of_each_cell_and_a_point_to_click() -> None:
    figure: Any = grid_figure(SQUARES, ["full", "iaf"], ["2", "8"], "ELBO", ("q", "d"))
    cells, points = figure.data
    assert cells.z[0][0] == -20
    assert math.isnan(cells.z[0][1])
    assert [each.text for each in figure.layout.annotations] == ["waiting"]
    assert list(points.customdata) == [0, 1]
    assert (points.x[1], points.y[1]) == (1, 1)
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # the first row is on top


def test_a_figure_against_a_number_has_bars_of_its_errors() -> None:
    figure: Any = against_figure([Series("iaf", [2, 8], [-20, -18], [0.1, math.nan])], "", "d", "")
    (line,) = figure.data
    assert list(line.error_y.array) == [0.1, 0.0]


def test_numbers_that_are_far_apart_are_on_a_logarithmic_axis() -> None:
    kinds = [
        against_figure([Series("", x, [1.0, 2.0], [0.1, 0.1])], "", "d", "").layout
        for x in ([2.0, 3.0], [2.0, 64.0], [0.0, 64.0])
    ]
    assert [layout.xaxis.type for layout in kinds] == [None, "log", None]  # type: ignore[attr-defined]


def test_parallel_coordinates_name_the_choices_and_leave_numbers_as_they_are() -> None:
    dimensions = [Dimension("q", [0, 1], ["full", "iaf"]), Dimension("ELBO", [-20.0, -18.0])]
    figure: Any = parallel_figure(dimensions, 1, "All runs")
    (lines,) = figure.data
    assert list(lines.dimensions[0].ticktext) == ["full", "iaf"]
    assert lines.dimensions[1].ticktext is None
    assert list(lines.line.color) == [-20.0, -18.0]

"""Plots of a sweep: a grid of two settings, a figure against a number, parallel coordinates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from app.figures import style

_CELL, _LARGEST_CELL = 76, 46  # pixels of height; of the square that takes a click
_LETTER = 6  # pixels of width
_LINES = ((0.0, "#7647B6"), (0.5, "#1B8A8F"), (1.0, "#C98A00"))
"""Colours of lines, which can be seen on both backgrounds."""
_WIDE_RATIO = 8  # from which on numbers are on a logarithmic axis


@dataclass(frozen=True)
class Square:
    """A cell of the grid.

    Attributes:
        row, column: numbers of its row, from the top, and of its column.
        value: the figure; NaN if it is not known yet.
        text: what the cell says, in lines.
        about: what it says when the pointer is over it.
    """

    row: int
    column: int
    value: float
    text: str
    about: str


@dataclass(frozen=True)
class Series:
    """A figure against a number.

    Attributes:
        x, y, error: numbers, values, and their standard errors, (n,) each.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    error: Sequence[float]


@dataclass(frozen=True)
class Dimension:
    """An axis of parallel coordinates.

    Attributes:
        values: one for each run; numbers of the ticks where there are ``ticks``.
        ticks: names of the values 0, 1, …; empty for a number.
    """

    label: str
    values: Sequence[float]
    ticks: Sequence[str] = ()


def grid_figure(
    squares: Sequence[Square],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    axes: tuple[str, str],
) -> go.Figure:
    """Draw a grid whose colours are a figure. Each cell can be clicked.

    The customdata of the points is the number of the square.

    Args:
        axes: names of the rows and of the columns.
    """
    values = np.full((len(rows), len(columns)), np.nan)
    texts = np.full(values.shape, "", dtype=object)
    for each in squares:
        values[each.row, each.column] = each.value
        texts[each.row, each.column] = each.text if math.isfinite(each.value) else ""
    figure = go.Figure()
    figure.add_heatmap(
        z=values.tolist(), x=list(range(len(columns))), y=list(range(len(rows))),
        text=texts.tolist(), texttemplate="%{text}", textfont_size=13,
        colorscale=style.DENSITY_SCALE,
        hoverinfo="skip", xgap=3, ygap=3, colorbar={"thickness": 12, "title": {"text": ""}},
    )  # fmt: skip
    for each in squares:
        if not math.isfinite(each.value):
            figure.add_annotation(x=each.column, y=each.row, text=each.text, showarrow=False)
    figure.add_scatter(  # a heatmap takes no clicks
        x=[each.column for each in squares], y=[each.row for each in squares], mode="markers",
        marker={"symbol": "square", "size": _LARGEST_CELL, "opacity": 0, "color": style.NEUTRAL},
        selected_marker_opacity=0, unselected_marker_opacity=0,
        customdata=list(range(len(squares))), text=[each.about for each in squares],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    height = 110 + _CELL * len(rows)
    figure.update_layout(**style.layout(title, axes[1], axes[0], height=height, legend=False))
    figure.update_xaxes(tickvals=list(range(len(columns))), ticktext=list(columns))
    figure.update_xaxes(range=[-0.5, len(columns) - 0.5], fixedrange=True)
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=list(rows), showgrid=False)
    figure.update_yaxes(range=[len(rows) - 0.5, -0.5], fixedrange=True, automargin=True)
    return figure


def against_figure(
    series: Sequence[Series], title: str, x_title: str, y_title: str, *, height: int = 360
) -> go.Figure:
    """Plot a figure against a number, with bars of one standard error."""
    figure = go.Figure()
    every = [x for each in series for x in each.x]
    for number, each in enumerate(series):
        figure.add_scatter(
            x=list(each.x), y=list(each.y), mode="lines+markers", name=each.name,
            error_y={"type": "data", "array": [_bar(e) for e in each.error], "thickness": 1.5},
            line={"color": style.class_colour(number), "width": 2}, marker_size=7,
            hovertemplate=f"{x_title} %{{x:,.4g}}: %{{y:.2f}}",
        )  # fmt: skip
    figure.update_layout(**style.layout(title, x_title, y_title, height=height))
    known = sorted(set(every))
    figure.update_xaxes(tickvals=known, ticktext=[f"{x:g}" for x in known])
    if known and known[0] > 0 and known[-1] / known[0] >= _WIDE_RATIO:
        figure.update_xaxes(type="log")
    return figure


def _bar(error: float) -> float:
    return error if math.isfinite(error) else 0.0


def parallel_figure(
    dimensions: Sequence[Dimension], colour: int, title: str, *, height: int = 380
) -> go.Figure:
    """Draw a line for each run through its settings and figures. Drag along an axis to choose.

    Args:
        colour: number of the dimension that gives the colour.
    """
    axes = [
        {"label": each.label, "values": list(each.values)}
        | (
            {
                "tickvals": list(range(len(each.ticks))),
                "ticktext": list(each.ticks),
                "range": [-0.2, len(each.ticks) - 0.8],
            }
            if each.ticks
            else {}
        )
        for each in dimensions
    ]
    figure = go.Figure()
    figure.add_parcoords(
        dimensions=axes, labelangle=0,
        line={"color": list(dimensions[colour].values), "colorscale": _LINES},
        unselected_line={"color": style.NEUTRAL, "opacity": 0.15},
    )  # fmt: skip
    figure.update_layout(**style.layout(title, height=height, legend=False))
    left = max(60, 24 + _LETTER * max(map(len, dimensions[0].ticks), default=0))
    figure.update_layout(margin={"t": 90, "l": left, "r": 60, "b": 24})
    return figure

"""Figures of a classification: confusion matrix, reliability diagram, reject curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.figures.style import ELBO, HIGHLIGHT, LOG_PX, NEUTRAL, faint, layout
from vae_core.basics.arrays import Floats

_MOST = 0.95  # share rejected; beyond it, a few images decide


def cells(table: NDArray[np.intp]) -> list[tuple[int, int]]:
    """The cells (true, found) of a confusion matrix that have images, in the order drawn."""
    return [(int(i), int(j)) for i, j in np.argwhere(table)]


def confusion_figure(table: NDArray[np.intp], names: Sequence[str]) -> go.Figure:
    """Draw a confusion matrix (classes, classes); each cell with images is a point."""
    places = cells(table)
    counts = [int(table[place]) for place in places]
    colours = [
        faint(LOG_PX.colour if i == j else HIGHLIGHT, 0.15 + 0.35 * table[i, j] / table.max())
        for i, j in places
    ]
    trace = {
        "type": "scatter", "mode": "markers+text", "x": [j for _, j in places],
        "y": [i for i, _ in places], "text": counts, "name": "images",
        "marker": {"symbol": "square", "size": 24, "color": colours},
        "hovertemplate": "true row %{y}, found %{x}: %{text} images<extra></extra>",
    }  # fmt: skip
    base = layout("Confusion: click a cell", "most probable class", "true class", height=400,
                  legend=False)  # fmt: skip
    ticks = {"tickvals": list(range(len(names))), "ticktext": list(names)}
    ends = len(names) - 0.4
    base["xaxis"] |= {**ticks, "range": [-0.6, ends]}
    base["yaxis"] |= {**ticks, "range": [ends, -0.6]}
    return go.Figure([trace], base)


def reliability_figure(bins: Sequence[tuple[str, Floats, Floats]]) -> go.Figure:
    """Draw accuracy against confidence, for each named set of bins (name, confidence, accuracy)."""
    base = layout("Reliability", "confidence max p(y|x)", "share that is right", height=400)
    base["xaxis"] |= {"range": [0, 1.02]}
    base["yaxis"] |= {"range": [0, 1.04]}
    colours = (ELBO.colour, HIGHLIGHT)
    traces: list[dict[str, Any]] = [_line([0, 1], [0, 1], "calibrated", NEUTRAL, "dot", "lines")]
    for (name, x, y), colour in zip(bins, colours, strict=False):
        some = np.isfinite(x)
        traces.append(_line(x[some], y[some], name, colour, "solid", "lines+markers"))
    return go.Figure(traces, base)


def reject_figure(curves: Sequence[tuple[str, Floats, Floats]]) -> go.Figure:
    """Draw the error among kept images against the share of rejected ones."""
    base = layout("Reject the least certain", "share rejected", "error of the others", height=400)
    base["xaxis"] |= {"range": [0, 1], "tickformat": ".0%"}
    base["yaxis"] |= {"rangemode": "tozero", "tickformat": ".1%"}
    colours = (ELBO.colour, LOG_PX.colour)
    return go.Figure(
        [
            _line(x[x <= _MOST], y[x <= _MOST], name, colour, "solid", "lines")
            for (name, x, y), colour in zip(curves, colours, strict=False)
        ],
        base,
    )


def probabilities_figure(
    rows: Sequence[tuple[str, Floats, Floats | None]], names: Sequence[str]
) -> go.Figure:
    """Draw p(y|x) of one image as bars by class, for each way, with 2 standard errors."""
    base = layout("p(y|x) of your image", "class", "p(y|x)", height=340)
    base["yaxis"] |= {"range": [0, 1.04]}
    traces = []
    for (title, p, se), colour in zip(
        rows, (LOG_PX.colour, ELBO.colour, NEUTRAL, HIGHLIGHT), strict=False
    ):
        bar = {"type": "bar", "x": list(names), "y": p, "name": title, "marker": {"color": colour}}
        if se is not None:
            bar["error_y"] = {"type": "data", "array": 2 * np.nan_to_num(se)}
        traces.append(bar)
    return go.Figure(traces, base)


def _line(x: Any, y: Any, name: str, colour: str, dash: str, mode: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": mode, "x": x, "y": y, "name": name,
        "line": {"color": colour, "dash": dash, "width": 2.25},
    }  # fmt: skip

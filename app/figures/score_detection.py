"""Plots of how well scores and the verdict recognise foreign images, by kind of image."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from app.figures.style import HIGHLIGHT, KL, LOG_LIKELIHOOD, LOG_PX, NEUTRAL, layout

_ROW, _HEAD = 27, 92  # pixels
_GOOD, _BAD = LOG_LIKELIHOOD.colour, KL.colour


class Metric(NamedTuple):
    """A measure of how well a score separates two kinds of images.

    Attributes:
        title: its name.
        chance: its value for a score without information.
        best: its value without any mistake, 0 or 1.
    """

    title: str
    chance: float
    best: int


def separation_figure(
    values: np.ndarray,
    kinds: Sequence[str],
    scores: Sequence[str],
    metric: Metric,
    se: np.ndarray | None = None,
) -> go.Figure:
    """Plot a metric of every score on every kind of foreign images, as a heatmap with numbers.

    Green: the score separates the images. Grey: it is as good as chance. Red: it is misleading.

    Args:
        values: the metric, (kinds, scores), 0 to 1.
        se: standard errors of the values, if they are known.
    """
    errors = [["" if se is None else f" ± {se[i, j]:.3f}" for j in range(len(scores))]
              for i in range(len(kinds))]  # fmt: skip
    heatmap = go.Heatmap(
        z=values,
        x=[re.sub(r" (?!p\()|(?<=y-)", "<br>", score) for score in scores],
        y=[_capital(kind) for kind in kinds],
        zmin=0,
        zmax=1,
        colorscale=_scale(metric),
        showscale=False,
        xgap=2,
        ygap=2,
        texttemplate="%{z:.3f}",
        customdata=np.stack([np.tile(scores, (len(kinds), 1)), np.asarray(errors)], -1),
        hovertemplate=(
            f"%{{y}}, by %{{customdata[0]}}: {metric.title} %{{z:.3f}}%{{customdata[1]}}"
            "<extra></extra>"
        ),
    )
    base = layout(f"{metric.title} by kind and score", height=_height(kinds), legend=False)
    return _figure([heatmap], base, {}, len(kinds))


def _scale(metric: Metric) -> list[tuple[float, str]]:
    low, high = (_BAD, _GOOD) if metric.best else (_GOOD, _BAD)
    return [(0.0, low), (metric.chance, NEUTRAL), (1.0, high)]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _height(rows: Sequence[str]) -> int:
    return _HEAD + _ROW * len(rows)


def _figure(
    traces: Sequence[Any], base: dict[str, Any], xaxis: dict[str, Any], rows: int
) -> go.Figure:
    """Make a figure with the first row on top and all rows of the same height."""
    rising = {"range": (rows - 0.5, -0.5), "showgrid": False, "nticks": None}
    axes = {"xaxis": base["xaxis"] | xaxis, "yaxis": base["yaxis"] | rising}
    return go.Figure(traces, layout=base | axes)


def called_figure(
    kinds: Sequence[str], images: Sequence[int], called: Sequence[float], level: float
) -> go.Figure:
    """Plot the share of each kind of images that the verdict calls unlike the training data.

    Args:
        kinds: kinds of images; own test images come first, and their share is of false alarms.
        images: number of images of each kind.
        called: the shares, 0 to 1.
        level: the share of false alarms that the verdict is made for.
    """
    shares, count = np.asarray(called), np.asarray(images)
    se = np.sqrt(shares * (1 - shares) / count)
    text = [f"{share:.1%}" for share in called]
    bars = go.Bar(
        x=100 * shares,
        y=[_capital(kind) for kind in kinds],
        orientation="h",
        marker={"color": [HIGHLIGHT] + [LOG_PX.colour] * (len(kinds) - 1), "line": {"width": 0}},
        text=[f"{text[0]}, made for {level:.0%}", *text[1:]],
        textposition="auto",
        customdata=np.stack([100 * se, count], -1),
        hovertemplate=(
            "%{y}: %{x:.1f} ± %{customdata[0]:.1f}% of %{customdata[1]:,} images<extra></extra>"
        ),
        name="called unlike",
    )
    base = layout(
        "Called unlike the training data", "% of images", height=_height(kinds), legend=False
    )
    return _figure([bars], base | {"bargap": 0.25}, {"range": (0, 100)}, len(kinds))

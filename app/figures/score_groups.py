"""Plots of good and bad images: ROC curves, and the distribution of a value in both groups."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from app.figures.style import HIGHLIGHT, KL, LOG_LIKELIHOOD, LOG_PX, NEUTRAL, faint, layout

_MOST_POINTS = 1000  # of a curve
_BINS = 30
_GOOD, _BAD = LOG_LIKELIHOOD.colour, KL.colour


class Roc(NamedTuple):
    """An ROC curve to draw.

    Attributes:
        title: name in the legend.
        false_alarms, detected: shares of good and bad images at each threshold, 0 to 1.
        colour: of the line.
    """

    title: str
    false_alarms: np.ndarray
    detected: np.ndarray
    colour: str = NEUTRAL


class Point(NamedTuple):
    """A rate with its interval: value, low, high, 0 to 1."""

    value: float
    low: float
    high: float


RAW_COLOUR, DECIDING_COLOUR = LOG_PX.colour, HIGHLIGHT


def roc_figure(curves: Sequence[Roc], false_alarms: Point, detected: Point) -> go.Figure:
    """Plot ROC curves, and the point of the chosen false-alarm rate with its intervals."""
    traces = [_chance(), *map(_curve, curves), _chosen(false_alarms, detected)]
    base = layout("ROC", "Good images called (%)", "Bad images found (%)", height=360)
    axes = {
        "xaxis": base["xaxis"] | {"range": (-2, 102), "constrain": "domain"},
        "yaxis": base["yaxis"] | {"range": (-2, 102)},
    }
    return go.Figure(traces, layout=base | axes)


def _chance() -> go.Scatter:
    return go.Scatter(
        x=[0, 100], y=[0, 100], mode="lines", name="chance", hoverinfo="skip", showlegend=False,
        line={"color": NEUTRAL, "width": 1, "dash": "dot"},
    )  # fmt: skip


def _curve(curve: Roc) -> go.Scatter:
    count = len(curve.false_alarms)
    places = np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).round().astype(int))
    return go.Scatter(
        x=100 * curve.false_alarms[places],
        y=100 * curve.detected[places],
        mode="lines",
        name=curve.title,
        line={"color": curve.colour, "width": 2.25},
        hovertemplate="%{y:.1f}% of bad images found, %{x:.1f}% of good ones called<extra></extra>",
    )


def _chosen(false_alarms: Point, detected: Point) -> go.Scatter:
    return go.Scatter(
        x=[100 * false_alarms.value],
        y=[100 * detected.value],
        mode="markers",
        name="the chosen rate",
        marker={"color": HIGHLIGHT, "size": 11, "symbol": "diamond"},
        error_x=_error_bars(false_alarms),
        error_y=_error_bars(detected),
        hovertemplate="chosen: %{y:.1f}% found, %{x:.1f}% called by mistake<extra></extra>",
    )


def _error_bars(point: Point) -> dict[str, Any]:
    return {
        "type": "data", "symmetric": False, "thickness": 1.5, "color": HIGHLIGHT,
        "array": [100 * (point.high - point.value)],
        "arrayminus": [100 * (point.value - point.low)],
    }  # fmt: skip


def groups_figure(
    good: np.ndarray, bad: np.ndarray, title: str, x_title: str, limit: float | None = None
) -> go.Figure:
    """Plot histograms of a value in both groups, as shares of each group.

    Values that are not finite are left out.

    Args:
        good, bad: the values, (N,) and (M,).
        limit: a value to mark with a line.
    """
    return _histograms(good, bad, title, x_title, limit, "%{x:.1f}")


def p_values_figure(good: np.ndarray, bad: np.ndarray, false_alarms: float) -> go.Figure:
    """Plot histograms of the p-values of both groups on a logarithmic axis, and α."""
    logarithms = np.log10(good), np.log10(bad)
    limit = float(np.log10(false_alarms))
    figure = _histograms(*logarithms, "p-values of the verdict", "p-value", limit, "")
    low = int(np.floor(np.log10(min(good.min(), bad.min(), false_alarms))))
    ticks = list(range(low, 1))
    names = [f"{10.0**tick:g}" for tick in ticks]
    figure.update_xaxes(tickmode="array", tickvals=ticks, ticktext=names)
    return figure


def _histograms(
    good: np.ndarray, bad: np.ndarray, title: str, x_title: str, limit: float | None, at: str
) -> go.Figure:
    groups = [values[np.isfinite(values)] for values in (good, bad)]
    edges = np.histogram_bin_edges(np.concatenate(groups), _BINS)
    bars = [
        _bars(values, edges, name, colour, at)
        for values, name, colour in zip(groups, ("good", "bad"), (_GOOD, _BAD), strict=True)
    ]
    top = max(float(np.max(np.asarray(each.y))) for each in bars)
    lines = [] if limit is None else [_limit(limit, top)]
    base = layout(title, x_title, "% of the group", height=280)
    return go.Figure([*bars, *lines], layout=base | {"bargap": 0, "barmode": "overlay"})


def _bars(values: np.ndarray, edges: np.ndarray, name: str, colour: str, at: str) -> go.Bar:
    counts, _ = np.histogram(values, edges)
    near = f" near {at}" if at else ""
    return go.Bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=100 * counts / max(1, len(values)),
        width=np.diff(edges),
        name=f"{len(values):,} {name} images",
        marker={"color": faint(colour, 0.55), "line": {"width": 0}},
        hovertemplate=f"%{{y:.1f}}% of the {name} images{near}<extra></extra>",
    )


def _limit(limit: float, top: float) -> go.Scatter:
    return go.Scatter(
        x=[limit, limit], y=[0, 1.05 * top], mode="lines", name="the chosen rate",
        line={"color": HIGHLIGHT, "width": 2}, hoverinfo="skip",
    )  # fmt: skip

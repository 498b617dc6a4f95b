"""Plots of gradient estimators: their noise against L, one coordinate, and what L costs."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from app.figures.style import NEUTRAL, faint, layout


class Look(NamedTuple):
    """Appearance of an estimator in plots: not by colour alone."""

    label: str
    colour: str
    symbol: str
    dash: str


LOOKS: Mapping[str, Look] = {
    "pathwise": Look("pathwise", "#248FF9", "circle", "solid"),
    "sticking-the-landing": Look("sticking the landing", "#157979", "square", "dash"),
    "dreg": Look("DReG", "#A38E3E", "triangle-up", "dashdot"),
    "score-function": Look("score function", "#AD491F", "x", "solid"),
    "score-function-baseline": Look("leave-one-out", "#DB3FBE", "diamond", "dot"),
}
_REACH = 1.25  # factor by which the L axis goes beyond the first and the last L
_ROOM = 0.12  # space above and below the data, as a share of their range of logarithms
_LINES = 6  # reference lines in a plot, at most
_LOWER, _UPPER = 0.41, 0.54  # ends of the two panels of a plot, as shares of its height


class Curve(NamedTuple):
    """Measured values of an estimator against L.

    Attributes:
        name: the estimator, a key of ``LOOKS``.
        samples: values of L in rising order, (n,).
        values: measured value at each L, (n,); only positive values are drawn.
        errors: standard error of each value, (n,); only finite errors are drawn.
    """

    name: str
    samples: Sequence[int]
    values: Sequence[float]
    errors: Sequence[float] = ()


def samples_figure(
    curves: Sequence[Curve],
    grid: Sequence[int],
    title: str,
    y_title: str,
    *,
    slope: tuple[float, str],
    chosen: int | None = None,
    level: tuple[float, str] | None = None,
    height: int = 320,
    uirevision: str = "keep",
) -> go.Figure:
    """Plot each estimator against L, both axes logarithmic, with ± 1 standard error.

    Args:
        grid: values of L on the axis.
        slope: slope of the dotted reference lines, and their name.
        chosen: an L to mark.
        level: a value of y at which a line is drawn, and the line's name. The name is in the
            legend, because reference lines or data would cross it anywhere in the plot.
    """
    base = layout(title, "Samples L", y_title, height=height, uirevision=uirevision)
    base["margin"]["t"] = 84  # the legend may take two rows
    span = _range(curves)
    traces = [_reference(grid, span, *slope), *_lines(curves)]
    if level is not None and span[0] < math.log10(level[0]) < span[1]:
        traces.append(_level(grid, *level))
    base["xaxis"] |= _samples_axis(grid)
    base["yaxis"] |= _log_axis(span)
    return go.Figure(traces, layout=base | {"shapes": _mark(chosen)})


def cost_figure(
    seconds: Sequence[Curve],
    efforts: Sequence[Curve],
    grid: Sequence[int],
    *,
    chosen: int | None = None,
    height: int = 496,
    uirevision: str = "keep",
) -> go.Figure:
    """Plot the time of one gradient against L above, variance × time against L below.

    Args:
        seconds: the time, in milliseconds.
        efforts: variance × time, in nats² ms.
    """
    base = layout("What L costs", None, None, height=height, uirevision=uirevision)
    base["margin"]["t"] = 84
    upper, lower = _range(seconds), _range(efforts)
    traces = [
        _reference(grid, upper, 1.0, "∝ L"),
        *_lines(seconds),
        *(line.update(yaxis="y2", showlegend=False) for line in _lines(efforts)),
    ]
    base["xaxis"] |= _samples_axis(grid) | {"anchor": "y2", "title": {"text": "Samples L"}}
    base["yaxis"] |= _log_axis(upper) | {
        "domain": [_UPPER, 0.94], "title": {"text": "ms", "standoff": 8}
    }  # fmt: skip
    base["yaxis2"] = _log_axis(lower) | {
        "domain": [0, _LOWER], "title": {"text": "nats² ms", "standoff": 8}, "zeroline": False,
    }  # fmt: skip
    base["annotations"] = [
        _above(0.94, "Time of one gradient"),
        _above(_LOWER, "Variance × time: the lower, the less noise for the same computing time"),
    ]
    return go.Figure(traces, layout=base | {"shapes": _mark(chosen)})


def _above(height: float, text: str) -> dict[str, Any]:
    """A heading above a panel, whose upper end is at this height of the plot."""
    return {
        "text": text, "x": 0, "y": height, "xref": "paper", "yref": "paper", "xanchor": "left",
        "yanchor": "bottom", "showarrow": False, "yshift": 2,
    }  # fmt: skip


def coordinate_figure(
    draws: Mapping[str, np.ndarray],
    dimension: int,
    samples: int,
    *,
    bound: str = "ELBO",
    wide: bool = True,
    height: int = 420,
    uirevision: str = "keep",
) -> go.Figure:
    """Plot how the estimates of one coordinate of the gradient scatter, a row an estimator.

    The diamond of a row is its mean with ± 2 standard errors. The dashed line is the mean of all.

    Args:
        draws: the estimates of each estimator, (R,), in nats.
        dimension: number of the latent dimension, from 1; the derivative is by its mean.
        samples: L.
        bound: name of the bound that is differentiated.
        wide: whether the axis fits the estimator with the largest scatter, or with the smallest.
    """
    base = layout(
        f"One coordinate, L = {samples:,}", f"∂{bound}/∂(mean of z{subscript(dimension)}) (nats)",
        height=height, legend=False, uirevision=uirevision,
    )  # fmt: skip
    names = [name for name in LOOKS if _drawable(draws.get(name))][::-1]
    traces: list[Any] = []
    for row, name in enumerate(names):
        traces += [_ridge(name, draws[name], row), _mean(name, draws[name], row)]
    if names:
        traces.append(_common_mean([draws[name] for name in names]))
        base["xaxis"]["range"] = _span([draws[name] for name in names], wide)
    base["yaxis"] |= {
        "tickvals": [row + 0.3 for row in range(len(names))],
        "ticktext": [_row_label(name, draws[name]) for name in names],
        "range": [-0.25, max(1, len(names)) - 0.05], "showgrid": False, "ticks": "",
    }  # fmt: skip
    return go.Figure(traces, layout=base)


def pooled_mean(draws: Sequence[np.ndarray]) -> float:
    """Mean of all estimators, each weighted by the inverse of its squared standard error."""
    weights = [len(each) / max(float(each.var(ddof=1)), 1e-30) for each in draws]
    return float(np.average([each.mean() for each in draws], weights=weights))


def subscript(number: int) -> str:
    """Write a number as an index: ``subscript(12)`` is ``"₁₂"``."""
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _drawable(draws: np.ndarray | None) -> bool:
    return draws is not None and len(draws) > 1 and bool(np.isfinite(draws).all())


def _lines(curves: Sequence[Curve]) -> list[go.Scatter]:
    return [_line(curve) for curve in curves]


def _line(curve: Curve) -> go.Scatter:
    look = LOOKS[curve.name]
    values = np.asarray(curve.values, dtype=float)
    errors = np.asarray(curve.errors if len(curve.errors) else np.zeros(len(values)), dtype=float)
    errors = np.where(np.isfinite(errors), errors, 0.0)
    drawn = [v if v > 0 and math.isfinite(v) else None for v in values]
    known = bool(np.any(errors > 0))
    return go.Scatter(
        x=list(curve.samples),
        y=drawn,
        mode="lines+markers",
        name=look.label,
        line={"color": look.colour, "dash": look.dash, "width": 2.25},
        marker={"symbol": look.symbol, "size": 8, "color": look.colour},
        error_y={
            "type": "data", "symmetric": False, "array": errors.tolist(), "visible": known,
            "arrayminus": np.minimum(errors, 0.95 * np.abs(values)).tolist(),
            "color": look.colour, "thickness": 1.5, "width": 3,
        },
        customdata=errors,
        hovertemplate=f"{look.label}, L = %{{x:,}}: %{{y:.3g}}"
        + (" ± %{customdata:.2g}" if known else "") + "<extra></extra>",
    )  # fmt: skip


def _range(curves: Sequence[Curve]) -> tuple[float, float]:
    """Logarithms of the smallest and the largest value, with some space around."""
    values = np.concatenate([np.asarray(c.values, dtype=float) for c in curves] or [np.ones(1)])
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return -1.0, 1.0
    low, high = math.log10(values.min()), math.log10(values.max())
    room = max(_ROOM * (high - low), 0.15)
    return low - room, high + room


def _reference(
    grid: Sequence[int], span: tuple[float, float], slope: float, label: str
) -> go.Scatter:
    """Parallel lines y ∝ L^slope over the whole plot, as on logarithmic paper."""
    left, right = (math.log10(v) for v in _ends(grid))
    starts = (span[0] - slope * left, span[1] - slope * right)
    low, high = min(*starts, span[0] - slope * right), max(*starts, span[1] - slope * left)
    step = max(1, math.ceil((high - low) / _LINES))
    x: list[float | None] = []
    y: list[float | None] = []
    for at in range(math.ceil(low), math.floor(high) + 1, step):
        x += [10**left, 10**right, None]
        y += [10 ** (at + slope * left), 10 ** (at + slope * right), None]
    return go.Scatter(
        x=x, y=y, mode="lines", name=label, hoverinfo="skip",
        line={"color": faint(NEUTRAL, 0.6), "width": 1, "dash": "dot"},
    )  # fmt: skip


def _level(grid: Sequence[int], value: float, label: str) -> go.Scatter:
    ends = _ends(grid)
    return go.Scatter(
        x=ends, y=[value, value], mode="lines", name=label, hoverinfo="skip",
        line={"color": NEUTRAL, "width": 1.25, "dash": "dash"},
    )  # fmt: skip


def _ends(grid: Sequence[int]) -> tuple[float, float]:
    return grid[0] / _REACH, grid[-1] * _REACH


def _samples_axis(grid: Sequence[int]) -> dict[str, Any]:
    return {
        "type": "log", "range": [math.log10(v) for v in _ends(grid)],
        "tickvals": list(grid), "ticktext": [f"{value:,}" for value in grid],
    }  # fmt: skip


def _log_axis(span: tuple[float, float]) -> dict[str, Any]:
    decades = span[1] - span[0]
    return {
        "type": "log", "range": list(span), "dtick": "D2" if decades < 1.2 else 1,
        "exponentformat": "power" if decades > 4 else "none",
    }  # fmt: skip


def _mark(chosen: int | None) -> list[dict[str, Any]]:
    if chosen is None:
        return []
    return [{
        "type": "line", "x0": chosen, "x1": chosen, "y0": 0, "y1": 1, "yref": "paper",
        "layer": "below", "line": {"color": faint(NEUTRAL, 0.35), "width": 7},
    }]  # fmt: skip


def _ridge(name: str, draws: np.ndarray, row: int) -> go.Scatter:
    """Histogram as an area on the line of its row. All histograms have the same height."""
    counts, edges = _histogram(draws)
    heights = row + 0.74 * counts / counts.max()
    look = LOOKS[name]
    return go.Scatter(
        x=np.concatenate([[edges[0]], np.repeat(edges, 2)[1:-1], [edges[-1]]]),
        y=np.concatenate([[row], np.repeat(heights, 2), [row]]),
        mode="lines", fill="toself", fillcolor=faint(look.colour, 0.35), name=look.label,
        line={"color": look.colour, "width": 1.5}, hoverinfo="skip",
    )  # fmt: skip


def _histogram(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts and edges of bins; one bin of width 0 if all draws are equal up to rounding."""
    if np.ptp(draws) <= 1e-9 * max(1.0, float(np.abs(draws).max())):
        return np.array([len(draws)]), np.array([draws[0], draws[0]])
    bins = int(np.clip(len(np.histogram_bin_edges(draws, "fd")) - 1, 6, 30))
    return np.histogram(draws, bins)


def _mean(name: str, draws: np.ndarray, row: int) -> go.Scatter:
    look = LOOKS[name]
    mean, spread = float(draws.mean()), float(draws.std(ddof=1))
    return go.Scatter(
        x=[mean], y=[row], mode="markers", name=f"{look.label}, mean",
        error_x={"type": "data", "array": [2 * spread / len(draws) ** 0.5], "color": look.colour,
                 "thickness": 3, "width": 6},
        marker={"symbol": "diamond", "size": 11, "color": look.colour,
                "line": {"width": 1, "color": "rgba(255,255,255,0.8)"}},
        hovertemplate=f"{look.label}: mean %{{x:.3g}} ± {spread / len(draws) ** 0.5:.2g}, "
        f"scatter ± {spread:.3g} nats<extra></extra>",
    )  # fmt: skip


def _common_mean(draws: Sequence[np.ndarray]) -> go.Scatter:
    mean = pooled_mean(draws)
    return go.Scatter(
        x=[mean, mean], y=[-0.25, len(draws) - 0.05], mode="lines", name="mean of all",
        line={"color": NEUTRAL, "width": 1.5, "dash": "dash"}, hoverinfo="skip",
    )  # fmt: skip


def _span(draws: Sequence[np.ndarray], wide: bool) -> list[float]:
    spreads = [float(each.std(ddof=1)) for each in draws]
    around = pooled_mean(draws)
    if wide:
        reach = max(float(np.abs(each - around).max()) for each in draws)
        reach = min(1.05 * reach, 5 * max(spreads))
    else:
        reach = 5 * min(spreads)
    reach = reach or 1.0
    return [around - reach, around + reach]


def _row_label(name: str, draws: np.ndarray) -> str:
    label = LOOKS[name].label
    label = label.replace("sticking ", "sticking<br>").replace("score ", "score<br>")
    return f"<b>{label}</b><br>± {draws.std(ddof=1):.2g}"

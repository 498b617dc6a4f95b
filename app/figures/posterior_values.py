"""Figures about log p(x): bounds on one axis, IWAE curves, parts of the gap, importance weights."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from app.figures import style
from app.figures.style import LOG_PX, NEUTRAL, faint
from vae_core.basics.arrays import Floats
from vae_core.wording.numbers import error_or_not_known, estimate, number

Spec = dict[str, Any]

Kind = Literal["lower", "upper", "estimate", "exact"]
_SYMBOLS: dict[Kind, str] = {
    "lower": "triangle-right",  # points towards log p(x)
    "upper": "triangle-left",
    "estimate": "circle",
    "exact": "diamond",
}
_ROW = 34  # pixels
_MOST_BARS = 60


class Mark(NamedTuple):
    """A bound or an estimate in nats, with its error or error bound; NaN if not known."""

    name: str
    colour: str
    value: float
    error: float
    kind: Kind

    @property
    def reach(self) -> float:
        """Length of the line on either side, two errors; 0 if the error is not known."""
        return 2 * self.error if np.isfinite(self.error) else 0.0


def bounds_figure(
    marks: Sequence[Mark], log_px: float | None, *, title: str = "", room: int = 0
) -> go.Figure:
    """Plot estimates of and bounds on log p(x), one in each row, on an axis in nats.

    Args:
        marks: the values. A triangle points from a bound towards log p(x). Lines are ± 2 errors.
        log_px: log p(x) if it is known, drawn beside the mark of every row, not through a text.
        room: number of rows to leave space for, because more may follow.
    """
    names = [mark.name for mark in marks]
    ends = [m.value + side * m.reach for m in marks for side in (-1, 1)]
    ends += [] if log_px is None else [log_px]
    traces: list[Spec] = [{
        "type": "scatter", "x": [mark.value], "y": [mark.name], "mode": "markers+text",
        "marker": {"color": mark.colour, "size": 13, "symbol": _SYMBOLS[mark.kind]},
        "error_x": {"array": [mark.reach], "color": mark.colour, "thickness": 2, "width": 0},
        "text": [estimate(mark.value, mark.error, "")], "name": mark.name,
        "textposition": _text_position(mark.value, *ends), "textfont": {"size": 12},
        "cliponaxis": False,
        "hovertemplate": f"{mark.name}: {estimate(mark.value, mark.error)}<extra></extra>",
    } for mark in marks]  # fmt: skip
    low, high = min(ends), max(ends)
    margin = 0.08 * (high - low) + 1e-3
    height = 104 + _ROW * max(room, len(marks))
    layout = style.layout(title, "nats", height=height, legend=False)
    layout["xaxis"] |= {"range": [low - margin, high + margin], "showgrid": True}
    layout["yaxis"] |= {
        "categoryorder": "array", "categoryarray": names[::-1], "automargin": True, "nticks": None,
        "range": [len(marks) - 0.5 - max(room, len(marks)), len(marks) - 0.3],
    }  # fmt: skip
    if log_px is not None:
        rows = range(-1, len(marks))
        layout["shapes"] = [_beside_a_mark(log_px, row) for row in rows]
    return go.Figure(traces, layout)


def _beside_a_mark(log_px: float, row: int) -> Spec:
    """A part of the line at log p(x), which leaves out the texts above the marks of two rows."""
    return {**_line_at(log_px, "x"), "yref": "y", "y0": row - 0.3, "y1": row + 0.16}


def _text_position(value: float, *ends: float) -> str:
    """Side of a mark on which its text has space."""
    share = (value - min(ends)) / (max(ends) - min(ends) + 1e-9)
    return "top left" if share > 0.8 else "top right" if share < 0.2 else "top center"


def _line_at(value: float, axis: Literal["x", "y"]) -> Spec:
    other = "y" if axis == "x" else "x"
    return {
        "type": "line", f"{axis}0": value, f"{axis}1": value, f"{other}0": 0, f"{other}1": 1,
        f"{other}ref": "paper", "layer": "below", "line": {"color": LOG_PX.colour, "width": 2},
    }  # fmt: skip


class IwaeCurve(NamedTuple):
    """IWAE bounds of a family against K: K (n,), bounds and standard errors (n,), in nats."""

    name: str
    colour: str
    counts: Floats
    bounds: Floats
    errors: Floats


def iwae_figure(
    curves: Sequence[IwaeCurve],
    log_px: tuple[float, float] | None,
    sandwich: tuple[float, float] | None = None,
    *,
    height: int = 400,
) -> go.Figure:
    """Plot IWAE bounds, ± 2 standard errors; they rise with K from the ELBO towards log p(x).

    Args:
        log_px: log p(x) and its error, if it is known exactly.
        sandwich: a lower and an upper bound, drawn as a band.
    """
    traces: list[Spec] = []
    for curve in curves:
        known = np.isfinite(curve.errors)
        band = np.concatenate([curve.counts[known], curve.counts[known][::-1]])
        low, high = (curve.bounds[known] + side * 2 * curve.errors[known] for side in (-1, 1))
        traces += [{
            "type": "scatter", "x": band, "y": np.concatenate([high, low[::-1]]), "mode": "lines",
            "fill": "toself", "fillcolor": faint(curve.colour), "line": {"width": 0},
            "hoverinfo": "skip", "showlegend": False, "name": f"{curve.name} ± 2 se",
        }, {
            "type": "scatter", "x": curve.counts, "y": curve.bounds, "mode": "lines+markers",
            "line": {"color": curve.colour, "width": 2.25}, "marker": {"size": 4},
            "name": curve.name, "customdata": [error_or_not_known(e) for e in curve.errors],
            "hovertemplate": f"{curve.name}, K = %{{x:,}}: %{{y:.2f}} nats, error %{{customdata}}"
            "<extra></extra>",
        }]  # fmt: skip
    most = max(float(curve.counts[-1]) for curve in curves)
    if log_px is not None:
        traces.append({
            "type": "scatter", "x": [1, most], "y": [log_px[0]] * 2, "mode": "lines",
            "line": {"color": LOG_PX.colour, "width": 2.5}, "name": "exact log p(x)",
            "hovertemplate": f"exact: {number(*log_px)}<extra></extra>",
        })  # fmt: skip
    if sandwich is not None:
        low, high = sandwich
        traces.insert(0, {
            "type": "scatter", "x": [1, most, most, 1], "y": [low, low, high, high],
            "fill": "toself", "fillcolor": faint(LOG_PX.colour, 0.25), "line": {"width": 0},
            "mode": "lines", "hoverinfo": "skip", "name": "AIS to BDMC, ± 2 se",
        })  # fmt: skip
    layout = style.layout("IWAE bound with K samples", "K", "nats", height=height)
    layout["xaxis"] |= {"type": "log", "range": [-0.05, np.log10(most) + 0.05], "dtick": 1}
    layout["yaxis"] |= {"range": _value_range(curves, log_px[:1] if log_px else sandwich or ())}
    return go.Figure(traces, layout)


def _value_range(curves: Sequence[IwaeCurve], values: Sequence[float]) -> tuple[float, float]:
    """Range of an axis that shows the curves with their errors, and the given values."""
    low = min(float((c.bounds - 2 * c.errors).min()) for c in curves)
    high = max(float((c.bounds + 2 * c.errors).max()) for c in curves)
    low, high = min(low, *values, high), max(high, *values, low)
    margin = 0.06 * (high - low) + 1e-3
    return low - margin, high + margin


# ---- the gap


class GapBar(NamedTuple):
    """Parts of a family's gap: approximation and amortisation with standard errors, in nats."""

    name: str
    colour: str
    approximation: float
    approximation_se: float
    amortisation: float
    amortisation_se: float


def gap_figure(bars: Sequence[GapBar], room: int = 0) -> go.Figure:
    """Plot log p(x) − ELBO by family, in two parts.

    The part of the family (approximation) is in full colour, that of the encoder (amortisation)
    is hatched. A part can be negative by chance only; it is drawn as it is.

    Args:
        room: number of families to leave space for, because more may follow.
    """
    parts: Sequence[tuple[str, Floats, Floats, str]] = (
        (
            "approximation: the family",
            np.array([b.approximation for b in bars]),
            np.array([b.approximation_se for b in bars]),
            "",
        ),
        (
            "amortisation: the encoder",
            np.array([b.amortisation for b in bars]),
            np.array([b.amortisation_se for b in bars]),
            "/",
        ),
    )
    names, colours = [b.name for b in bars], [b.colour for b in bars]
    traces: list[Spec] = []
    for name, values, errors, pattern in parts:
        fill = [faint(c, 0.25) for c in colours] if pattern else colours
        traces.append({
            "type": "bar", "orientation": "h", "y": names, "x": values, "name": name,
            "marker": {"color": fill, "line": {"color": colours, "width": 1.5},
                       "pattern": {"shape": pattern, "fgcolor": colours, "fgopacity": 0.9}},
            "error_x": {"array": 2 * errors, "color": NEUTRAL, "thickness": 1.6, "width": 4},
            "customdata": errors, "width": 0.6, "showlegend": False,
            "hovertemplate": f"{name}: %{{x:.3f}} ± %{{customdata:.3f}} nats<extra></extra>",
        })  # fmt: skip
        traces.append({
            "type": "bar", "x": [None], "y": [names[0]], "name": name, "orientation": "h",
            "marker": {"color": faint(NEUTRAL, 0.25) if pattern else NEUTRAL,
                       "pattern": {"shape": pattern, "fgcolor": NEUTRAL}},
        })  # fmt: skip
    rows = max(room, len(bars))
    layout = style.layout("log p(x) − ELBO, taken apart", "nats", height=128 + 44 * rows)
    layout["yaxis"] |= {"range": [rows - 0.5, -0.5], "automargin": True, "nticks": None}
    layout["xaxis"] |= {"showgrid": True, "zeroline": True, "zerolinecolor": NEUTRAL}
    return go.Figure(traces, layout | {"barmode": "relative"})


# ---- importance weights


class Sample(NamedTuple):
    """log w of a family's draws, (n,), with the ELBO and the estimate of log p(x), in nats."""

    name: str
    colour: str
    log_w: Floats
    elbo: float
    log_px: float


def weights_figure(samples: Sequence[Sample], *, height: int = 320) -> go.Figure:
    """Plot histograms of log w. A dashed line marks its mean (the ELBO), a full one log E[w]."""
    everything = np.concatenate([s.log_w for s in samples])
    low = float(np.quantile(everything, 0.002))
    high = float(np.quantile(everything, 0.9995))
    high = max(high, *(s.log_px + 0.05 * (high - low) for s in samples))
    bins = min(_MOST_BARS, max(12, int(2 * len(samples[0].log_w) ** (1 / 3))))
    edges = np.linspace(low, high + 1e-6, bins + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    traces, shapes = [], []
    for sample in samples:
        share = np.histogram(sample.log_w, edges)[0] / len(sample.log_w)
        traces.append({
            "type": "scatter", "x": centres, "y": 100 * share, "mode": "lines", "name": sample.name,
            "line": {"color": sample.colour, "width": 2, "shape": "hvh"}, "fill": "tozeroy",
            "fillcolor": faint(sample.colour, 0.12),
            "hovertemplate": f"{sample.name}: %{{y:.1f}}% near %{{x:.1f}} nats<extra></extra>",
        })  # fmt: skip
        for value, dash in ((sample.elbo, "dash"), (sample.log_px, "solid")):
            line = _line_at(value, "x")
            shapes.append(line | {"line": {"color": sample.colour, "width": 1.6, "dash": dash}})
    layout = style.layout("log w of single draws", "log w (nats)", "% of draws", height=height)
    layout["yaxis"] |= {"rangemode": "tozero"}
    return go.Figure(traces, layout | {"shapes": shapes})


def concentration_figure(
    shares: Sequence[tuple[str, str, Floats]], *, height: int = 320
) -> go.Figure:
    """Plot the share of the total weight in the largest weights; equal weights give the diagonal.

    Args:
        shares: name, colour and normalised weights (n,), largest first, of each family.
    """
    traces: list[Spec] = []
    for name, colour, weights in shares:
        count = np.unique(np.geomspace(1, len(weights), 120).round().astype(int))
        held = 100 * weights.cumsum()[count - 1]
        traces.append({
            "type": "scatter", "x": 100 * count / len(weights), "y": held, "mode": "lines",
            "name": name, "line": {"color": colour, "width": 2.25},
            "hovertemplate": f"{name}: the largest %{{x:.2f}}% hold %{{y:.0f}}%<extra></extra>",
        })  # fmt: skip
    even = np.geomspace(100 / len(shares[0][2]), 100, 60)
    traces.append({
        "type": "scatter", "x": even, "y": even, "mode": "lines", "name": "equal weights",
        "line": {"color": NEUTRAL, "width": 1.2, "dash": "dot"}, "hoverinfo": "skip",
    })  # fmt: skip
    layout = style.layout(
        "What the largest weights hold", "% of draws, largest first", "% of the weight",
        height=height,
    )  # fmt: skip
    layout["xaxis"] |= {"type": "log", "dtick": 1}
    layout["yaxis"] |= {"range": [0, 102]}
    return go.Figure(traces, layout)

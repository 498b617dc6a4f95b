"""Plots of scores: among held-out images, against the number of samples, and by pixel."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.figures.style import (
    ELBO,
    HIGHLIGHT,
    INK,
    LOG_LIKELIHOOD,
    LOG_PX,
    NEUTRAL,
    faint,
    layout,
)
from vae_core.wording.numbers import error_or_not_known, number

VERDICT_COLOURS: Mapping[str, str] = {
    "typical": "#26906C",
    "unusual": "#C77F0A",
    "unlike the training data": "#D0342C",
}
_MARGIN = 0.03  # space on either side of the unusualness, in powers of ten
_TICKS = (1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
_LIKELIHOOD_SCALE = (
    (0.0, "#F2FBF9"),
    (0.35, "#5FB3AC"),
    (0.7, LOG_LIKELIHOOD.colour),
    (1.0, INK[0]),
)


def unusual_figure(
    held_out: np.ndarray,
    labels: Sequence[str],
    unusualness: Sequence[float],
    verdicts: Sequence[str],
    limit: float | None,
    chosen: int | None = None,
    *,
    line: str = "α",
    height: int = 270,
) -> go.Figure:
    """Plot how unusual images are over a histogram of the held-out images, with the line at α.

    Bars to the right of the chosen image, which its p-value counts, are in colour.

    Args:
        held_out: unusualness of the held-out images, (N,), 1 to √(N + 1).
        labels, unusualness, verdicts: names, values and verdicts of the images to mark.
        limit: the unusualness above which an image is called unlike the training data.
        chosen: index of the image to highlight.
        line: text beside the line.
    """
    axis = (-_MARGIN, math.log10(len(held_out) + 1) / 2 + _MARGIN)
    values = np.log10(np.asarray(unusualness, dtype=float))
    bars = _bars(np.log10(held_out), np.inf if chosen is None else values[chosen])
    top = float(np.max(np.asarray(bars.y)))
    traces: list[Any] = [bars]
    if limit is not None:
        traces.append(_line_at(math.log10(limit), line, top, axis, "alpha", NEUTRAL, "dash"))
    if chosen is not None:
        at = float(values[chosen])
        traces.append(_line_at(at, "", top, axis, labels[chosen], HIGHLIGHT, "solid"))
    traces.append(_marks(labels, values, verdicts, chosen, top))
    title = f"How unusual, among {len(held_out):,} real images"
    base = layout(title, "Unusualness (right: stranger)", "Images", height=height, legend=False)
    ticks = [each for each in _TICKS if math.log10(each) <= axis[1]]
    return _figure(
        traces,
        base | {"bargap": 0, "uirevision": f"{axis}"},
        {
            "range": axis,
            "tickvals": np.log10(ticks).tolist(),
            "ticktext": [f"{t:g}" for t in ticks],
        },
        {"range": (-0.12 * top, 1.24 * top)},
    )


def _bars(held_out: np.ndarray, chosen: float) -> go.Bar:
    """Histogram of the held-out images, in colour to the right of the chosen image."""
    counts, edges = np.histogram(held_out, _bins(held_out))
    centres = (edges[:-1] + edges[1:]) / 2
    return go.Bar(
        x=centres,
        y=counts,
        width=np.diff(edges),
        name=f"{len(held_out):,} held-out images",
        marker={
            "color": [LOG_PX.colour if c > chosen else faint(NEUTRAL, 0.55) for c in centres],
            "opacity": 0.75,
            "line": {"width": 0},
        },
        customdata=(10**centres).tolist(),
        hovertemplate="%{y} real images near %{customdata:.2f}<extra></extra>",
    )


def _figure(
    traces: Sequence[Any], base: dict[str, Any], xaxis: dict[str, Any], yaxis: dict[str, Any]
) -> go.Figure:
    """Make a figure with its layout in one step, because each later update takes 15 ms."""
    axes = {"xaxis": base["xaxis"] | xaxis, "yaxis": base["yaxis"] | yaxis}
    return go.Figure(traces, layout=base | axes)


def _bins(values: np.ndarray) -> int:
    """Number of bins by the Freedman–Diaconis rule, but at least 12 and at most 40."""
    return int(np.clip(len(np.histogram_bin_edges(values, "fd")) - 1, 12, 40))


def _line_at(
    at: float,
    text: str,
    top: float,
    axis: tuple[float, float],
    name: str,
    colour: str,
    dash: str,
) -> go.Scatter:
    """A vertical line with a text at its upper end."""
    left = at > (axis[0] + axis[1]) / 2
    return go.Scatter(
        x=[at, at],
        y=[0, 1.14 * top],
        mode="lines+text",
        name=name,
        text=["", f"{text}\u00a0" if left else f"\u00a0{text}"],
        textposition="middle left" if left else "middle right",
        textfont={"size": 13},
        line={"color": colour, "width": 2, "dash": dash},
        hoverinfo="skip",
    )


def _marks(
    labels: Sequence[str],
    values: np.ndarray,
    verdicts: Sequence[str],
    chosen: int | None,
    top: float,
) -> go.Scatter:
    """A diamond below the bars for each image, in the colour of its verdict."""
    order = [i for i in range(len(labels)) if i != chosen] + ([] if chosen is None else [chosen])
    return go.Scatter(
        x=values[order],
        y=np.full(len(order), -0.06 * top),
        mode="markers",
        name="Your images",
        marker={
            "symbol": "diamond",
            "size": [15 if i == chosen else 10 for i in order],
            "color": [VERDICT_COLOURS[verdicts[i]] for i in order],
            "line": {"width": 1, "color": "rgba(255,255,255,0.8)"},
        },
        customdata=[[labels[i], verdicts[i], 10 ** values[i]] for i in order],
        hovertemplate="%{customdata[0]}: %{customdata[1]}, %{customdata[2]:.2f}<extra></extra>",
    )


def convergence_figure(
    samples: Sequence[int],
    log_px: Sequence[float],
    se: Sequence[float],
    elbo: float,
    *,
    height: int = 260,
) -> go.Figure:
    """Plot the estimate of log p(x), ± 1 standard error, against the number of samples so far.

    Where the error is not known, the band is missing.

    Args:
        samples: numbers of samples, in rising order.
        log_px, se: the estimate at each number and its standard error, in nats.
        elbo: the ELBO of the encoder's q(z|x), in nats.
    """
    k, middle, error = np.asarray(samples), np.asarray(log_px), np.asarray(se)
    known = np.isfinite(error)
    low, high = (middle - error)[known], (middle + error)[known]
    band = go.Scatter(
        x=np.concatenate([k[known], k[known][::-1]]),
        y=np.concatenate([high, low[::-1]]),
        mode="lines",
        fill="toself",
        fillcolor=faint(LOG_PX.colour),
        line={"width": 0},
        hoverinfo="skip",
        name="± 1 standard error",
    )
    line = go.Scatter(
        x=k,
        y=middle,
        mode="lines",
        line={"color": LOG_PX.colour, "width": 2.25},
        customdata=[error_or_not_known(each) for each in error],
        hovertemplate="after %{x:,} samples: %{y:.2f} nats, error %{customdata}<extra></extra>",
        name="log p̂(x) so far",
    )
    ruler = go.Scatter(
        x=[k[0], k[-1]],
        y=[elbo, elbo],
        mode="lines",
        line={"color": ELBO.colour, "width": 1.5, "dash": "dash"},
        hovertemplate=f"ELBO of the encoder: {number(elbo)}<extra></extra>",
        name="ELBO of the encoder",
    )
    base = layout("Convergence in K", "Importance samples so far", "Nats", height=height)
    first, last = float(np.log10(k[0])), float(np.log10(k[-1]))
    axis = {"type": "log", "range": (first, max(last, first + 0.1)), "dtick": 1}
    return _figure([band, line, ruler], base, axis, {})


def pixel_figure(log_likelihood: np.ndarray, *, height: int = 240) -> go.Figure:
    """Plot how much each pixel lowers log p(x|z): dark pixels are expected, bright ones are not.

    Args:
        log_likelihood: E_q log p(x_i|z) of every pixel, (H, W), in nats; at most 0 for binary
            pixels, a log density for grey ones.
    """
    lowest = min(float(log_likelihood.min()), -1e-3)
    highest = max(float(log_likelihood.max()), 0.0)
    heatmap = go.Heatmap(
        z=np.round(log_likelihood, 4),
        zmin=lowest,
        zmax=highest,
        colorscale=_LIKELIHOOD_SCALE,
        colorbar={
            "thickness": 8,
            "outlinewidth": 0,
            "nticks": 4,
            "title": {
                "text": "nats",
                "font": {"size": 11},
            },  # short and above: beside a number it needs more space
            "len": 0.85,
            "y": 0,
            "yanchor": "bottom",
        },
        hovertemplate="row %{y}, column %{x}: %{z:.3f} nats<extra></extra>",
    )
    base = layout("", height=height, legend=False)
    square = {"visible": False, "constrain": "domain"}
    return _figure(
        [heatmap],
        base | {"margin": {"t": 0, "r": 0, "b": 0, "l": 0, "pad": 0}},
        square | {"constraintoward": "left"},
        square | {"autorange": "reversed", "scaleanchor": "x"},
    )

"""Plots of scores: among held-out images, against the number of samples, and by pixel."""

from collections.abc import Sequence
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

_SPARE = 0.35  # space on either side, as a share of the range of the held-out scores
_LIKELIHOOD_SCALE = (
    (0.0, "#F2FBF9"),
    (0.35, "#5FB3AC"),
    (0.7, LOG_LIKELIHOOD.colour),
    (1.0, INK[0]),
)


def held_out_figure(
    held_out: np.ndarray,
    importance_samples: int,
    labels: Sequence[str],
    log_px: Sequence[float],
    chosen: int | None = None,
    *,
    height: int = 280,
) -> go.Figure:
    """Plot scores of images over a histogram of held-out scores.

    Bars below the chosen image, which its percentile counts, are in colour. An image outside the
    axis is drawn as an arrow at the end of the axis.

    Args:
        held_out: log p̂(x) of the held-out images, (N,), in nats.
        importance_samples: K of all scores shown.
        labels, log_px: names and scores of the images to mark.
        chosen: index of the image to highlight.
    """
    axis = _axis(held_out)
    bars = _bars(held_out, -np.inf if chosen is None else log_px[chosen])
    top = float(np.max(np.asarray(bars.y)))
    marks = _marks(labels, np.asarray(log_px, dtype=float), axis, chosen, top)
    x_title = f"log p̂(x), K = {importance_samples:,} (nats)"
    base = layout("Among held-out images", x_title, "Images", height=height, legend=False)
    return _figure(
        [bars, *marks],
        base | {"bargap": 0, "uirevision": f"{axis}"},
        {"range": axis},
        {"range": (-0.09 * top, 1.12 * top)},
    )


def _axis(held_out: np.ndarray) -> tuple[float, float]:
    """Range of the held-out scores with some space; a binary image cannot be above 0."""
    low, high = float(held_out.min()), float(held_out.max())
    spare = _SPARE * max(high - low, 1.0)
    return low - spare, max(min(high + spare, 0.0), high + spare / 7)


def _bars(held_out: np.ndarray, chosen: float) -> go.Bar:
    """Histogram of the held-out scores, in colour below the score of the chosen image."""
    counts, edges = np.histogram(held_out, _bins(held_out))
    centres = (edges[:-1] + edges[1:]) / 2
    return go.Bar(
        x=centres,
        y=counts,
        width=np.diff(edges),
        name=f"{len(held_out):,} held-out images",
        marker={
            "color": [LOG_PX.colour if c < chosen else faint(NEUTRAL, 0.55) for c in centres],
            "opacity": 0.75,
            "line": {"width": 0},
        },
        hovertemplate="%{y} held-out images near %{x:.1f} nats<extra></extra>",
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


def _marks(
    labels: Sequence[str],
    log_px: np.ndarray,
    axis: tuple[float, float],
    chosen: int | None,
    top: float,
) -> list[go.Scatter]:
    """A diamond for each image below the bars; a line through the chosen one."""
    margin = 0.012 * (axis[1] - axis[0])
    inside = (log_px >= axis[0]) & (log_px <= axis[1])
    x = np.clip(log_px, axis[0] + margin, axis[1] - margin)
    symbols = np.where(
        inside, "diamond", np.where(log_px < axis[0], "triangle-left", "triangle-right")
    )
    order = [i for i in range(len(labels)) if i != chosen] + ([] if chosen is None else [chosen])
    marks = go.Scatter(
        x=x[order],
        y=np.full(len(order), -0.045 * top),
        mode="markers",
        name="Your images",
        marker={
            "symbol": symbols[order].tolist(),
            "size": [14 if i == chosen else 10 for i in order],
            "color": [HIGHLIGHT if i == chosen else LOG_PX.colour for i in order],
            "line": {"width": 1, "color": "rgba(255,255,255,0.8)"},
        },
        customdata=[[labels[i], number(float(log_px[i]))] for i in order],
        hovertemplate="%{customdata[0]}: %{customdata[1]}<extra></extra>",
    )
    if chosen is None:
        return [marks]
    at = float(x[chosen])
    left = at > (axis[0] + axis[1]) / 2
    beyond = "" if inside[chosen] else (" ▸" if log_px[chosen] > axis[1] else "◂ ")
    text = f"{beyond}{number(float(log_px[chosen]))}"
    line = go.Scatter(
        x=[at, at],
        y=[0, 1.05 * top],
        mode="lines+text",
        name=labels[chosen],
        text=["", f"{text}\u00a0" if left else f"\u00a0{text}"],
        textposition="middle left" if left else "middle right",
        textfont={"color": HIGHLIGHT, "size": 13},
        line={"color": HIGHLIGHT, "width": 2},
        hoverinfo="skip",
    )
    return [line, marks]


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

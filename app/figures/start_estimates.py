"""Figure of the ELBO on the Start page: estimates of the ELBO and log p̂(x) on one scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.figures import style
from app.figures.style import ELBO, HIGHLIGHT, KL, LOG_LIKELIHOOD, LOG_PX, NEUTRAL, faint
from vae_core.basics.arrays import Floats
from vae_core.wording.numbers import estimate, number, typeset

Spec = dict[str, Any]

_HEIGHT = 205
_SPLIT_HEIGHT = 190


def estimates(
    log_w: Floats,
    forms: Sequence[tuple[str, float, float]],
    log_px: tuple[float, float],
    limits: tuple[float, float],
    importance_samples: int,
) -> go.Figure:
    """Plot log w of every ε, estimates of the ELBO, and log p̂(x), all in nats.

    Args:
        log_w: log p(x|z) + log p(z) − log q(z|x) of each draw, (L,); the first is highlighted.
        forms: rows of a name, an estimate of the ELBO, and its standard error (NaN if unknown).
        log_px: log p̂(x) and its standard error.
        limits: ends of the scale; draws outside are shown as arrows at the ends.
        importance_samples: K of log p̂(x).
    """
    names = ["log w of each ε", *(name for name, _, _ in forms)]
    title = f"ELBO, L = {len(log_w):,}, and log p̂(x), K = {importance_samples:,}"
    layout = style.layout(title, "nats", height=_HEIGHT, legend=False)
    layout["margin"]["t"] = 52
    layout["xaxis"] |= {"range": limits, "showgrid": True}
    layout["yaxis"] |= {
        "tickvals": list(range(len(names))), "ticktext": names, "showgrid": False,
        "range": [len(forms) + 0.6, -0.6],
    }  # fmt: skip
    layout["annotations"] = [_log_px_label(*log_px, limits)]
    layout["shapes"] = [*_log_px_line(*log_px), _gap(forms[0][1], log_px[0])]
    rows = [_interval(*form, row) for row, form in enumerate(forms, 1)]
    return go.Figure([*_weights(log_w, limits), *rows], layout)


def split(expected: float, kl: float, log_px: float) -> go.Figure:
    """Plot log p̂(x) as E log p(x|z), less the KL to the prior, plus the gap (the note's (2)).

    One bar begins at 0. E log p(x|z) ends where the KL begins; the KL ends at the ELBO; and the gap
    leads from the ELBO back up to log p̂(x).

    Args:
        expected: E log p(x|z) in nats.
        kl: the KL to the prior in nats.
        log_px: log p̂(x) in nats.
    """
    elbo = expected - kl
    parts = (
        ("E log p(x|z)", 0.0, expected, LOG_LIKELIHOOD.colour, 0.0, 0.8),
        ("− KL(q(z|x) ‖ p(z))", expected, elbo, KL.colour, 0.0, 0.8),
        ("+ KL(q(z|x) ‖ p(z|x)), the gap", elbo, log_px, NEUTRAL, 0.0, 0.35),
    )
    bars = [
        {
            "type": "bar", "orientation": "h", "base": [start], "x": [end - start], "y": [place],
            "width": width, "name": f"{name} = {typeset(end - start, '.1f')}",
            "marker": {"color": colour},
            "hovertemplate": f"{name}: {typeset(end - start, '+.2f')} nats<extra></extra>",
        }
        for name, start, end, colour, place, width in parts
    ]  # fmt: skip
    layout = style.layout("log p̂(x) = ELBO + gap  (2)", "nats", height=_SPLIT_HEIGHT)
    layout["barmode"] = "overlay"
    layout["yaxis"] |= {"visible": False, "range": [-0.6, 0.6]}
    line = {"color": LOG_PX.colour, "width": 3}
    upright = {"type": "line", "yref": "paper", "y0": 0, "y1": 1}
    layout["shapes"] = [{**upright, "x0": log_px, "x1": log_px, "line": line}]
    return go.Figure(bars, layout)


def _weights(log_w: Floats, limits: tuple[float, float]) -> list[Spec]:
    low, high = limits
    height = 0.3 * np.random.default_rng(0).uniform(-1, 1, len(log_w))
    height[0] = 0
    beyond = np.where(log_w < low, "triangle-left", "triangle-right")
    symbols = np.where((log_w >= low) & (log_w <= high), "circle", beyond)

    def dots(chosen: slice, name: str, colour: str, size: int, opacity: float) -> Spec:
        return {
            "type": "scatter", "x": np.clip(log_w, low, high)[chosen], "y": height[chosen],
            "customdata": log_w[chosen], "mode": "markers", "name": name, "cliponaxis": False,
            "marker": {"color": colour, "size": size, "opacity": opacity,
                       "symbol": symbols[chosen]},
            "hovertemplate": f"{name}: log w = %{{customdata:.2f}} nats<extra></extra>",
        }  # fmt: skip

    others = dots(slice(1, None), "another ε", ELBO.colour, 5, 0.45)
    return [others, dots(slice(0, 1), "this ε", HIGHLIGHT, 11, 1)]


def _interval(name: str, mean: float, se: float, row: int) -> Spec:
    """An estimate with its error; an open circle if the error is unknown, as for one draw."""
    known = bool(np.isfinite(se))
    symbol = "circle" if known else "circle-open"
    return {
        "type": "scatter", "x": [mean], "y": [row], "name": name, "mode": "markers",
        "marker": {"color": ELBO.colour, "size": 10, "symbol": symbol},
        "error_x": {"array": [se if known else 0], "color": ELBO.colour, "thickness": 3,
                    "width": 7, "visible": known},
        "hovertemplate": f"{name}: {number(mean, se)}<extra></extra>", "cliponaxis": False,
    }  # fmt: skip


def _log_px_label(mean: float, se: float, limits: tuple[float, float]) -> Spec:
    place = (mean - limits[0]) / (limits[1] - limits[0])
    return {
        "x": mean, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
        "xanchor": "left" if place < 0.2 else "right" if place > 0.8 else "center",
        "text": f"log p̂(x) = {estimate(mean, se, '')}",
    }  # fmt: skip


def _log_px_line(mean: float, se: float) -> list[Spec]:
    """log p̂(x) as a line through all rows, its error (if it is known) as a band."""
    upright = {"yref": "paper", "y0": 0, "y1": 1}
    band = {"type": "rect", "x0": mean - se, "x1": mean + se, "line": {"width": 0}, **upright}
    line = {"color": LOG_PX.colour, "width": 2}
    return [
        *([{**band, "fillcolor": faint(LOG_PX.colour, 0.25)}] if np.isfinite(se) else []),
        {"type": "line", "x0": mean, "x1": mean, "line": line, **upright},
    ]


def _gap(elbo: float, log_px: float) -> Spec:
    line = {"color": NEUTRAL, "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": elbo, "x1": log_px, "y0": 1, "y1": 1, "line": line}

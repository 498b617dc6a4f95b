"""Figure of a Monte Carlo mean and its error, against the number of draws."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.figures.style import ELBO, HIGHLIGHT, NEUTRAL, faint, layout
from vae_core.basics.arrays import Floats

_ROOM = 1.6  # half the height of the left panel, in standard errors of the tenth draw, times two


def running(values: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean of the first L values and its standard error s/√L, for L = 1, 2, …, n.

    Returns:
        L, the means and the errors, each (n,); the error for L = 1 is NaN.
    """
    count = np.arange(1.0, len(values) + 1)
    means = values.cumsum() / count
    square = (values**2).cumsum() - count * means**2
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.sqrt(np.maximum(square, 0) / (count - 1) / count)
    errors[0] = np.nan
    return count, means, errors


def against_samples(values: Floats, chosen: int) -> go.Figure:
    """Plot the mean of the first L values with its error, and the error alone, against L.

    Args:
        values: f at every draw, in nats, (n,).
        chosen: an L to mark, at most n.
    """
    count, means, errors = running(values)
    base = layout("The mean of the first L draws", "draws L", "ELBO estimate (nats)", height=330)
    ends = [-0.1, float(np.log10(len(values))) + 0.1]
    axis: dict[str, Any] = {"type": "log", "range": ends, "zeroline": False, "showgrid": False}
    axis |= {"tickvals": [10**i for i in range(4)], "ticktext": ["1", "10", "100", "1000"]}
    middle, reach = float(means[-1]), max(_ROOM * 2 * float(errors[min(9, len(errors) - 1)]), 1e-3)
    base["xaxis"] |= axis | {"domain": [0, 0.44]}
    base["xaxis2"] = axis | {
        "domain": [0.58, 1],
        "title": {"text": "draws L", "standoff": 8},
        "anchor": "y2",
    }
    base["yaxis"] |= {"range": [middle - reach, middle + reach]}
    law = float(values.std(ddof=1)) / np.sqrt(count)
    base["yaxis2"] = {
        "type": "log", "anchor": "x2", "title": {"text": "standard error (nats)", "standoff": 8},
        "zeroline": False, "range": _decades(np.concatenate([errors[1:], law])), **_ticks(),
    }  # fmt: skip
    band = np.concatenate([means + 2 * errors, (means - 2 * errors)[::-1]])[1:-1]
    ends_of_band = np.concatenate([count, count[::-1]])[1:-1]
    traces = [
        {"type": "scatter", "x": ends_of_band, "y": band, "fill": "toself", "mode": "lines",
         "fillcolor": faint(ELBO.colour, 0.25), "line": {"width": 0}, "name": "± 2 errors",
         "hoverinfo": "skip"},
        _line(count, means, "mean of the first L", ELBO.colour, "solid"),
        _line(count, np.full_like(count, middle), f"mean of all {len(values):,}", NEUTRAL, "dot"),
        _dot(chosen, means[chosen - 1]),
        _line(count[1:], errors[1:], "s/√L of the first L", ELBO.colour, "solid") | _SECOND,
        _line(count, law, "1/√L", NEUTRAL, "dot") | _SECOND,
    ]  # fmt: skip
    if chosen > 1:
        traces.append(_dot(chosen, errors[chosen - 1]) | _SECOND)
    return go.Figure(traces, base)


_SECOND = {"xaxis": "x2", "yaxis": "y2", "showlegend": False}


def _line(x: Floats, y: Floats, name: str, colour: str, dash: str) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": name,
        "line": {"color": colour, "dash": dash, "width": 2.25},
        "hovertemplate": f"{name}: %{{y:.3f}} nats at L = %{{x:,.0f}}<extra></extra>",
    }  # fmt: skip


def _dot(x: float, y: float) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "x": [x], "y": [y], "name": f"L = {x:,.0f}",
        "marker": {"color": HIGHLIGHT, "size": 11}, "cliponaxis": False,
        "hovertemplate": "%{y:.3f} nats at L = %{x:,.0f}<extra></extra>",
    }  # fmt: skip


def _decades(values: Floats) -> list[float]:
    known = values[np.isfinite(values) & (values > 0)]
    if not len(known):
        return [-3.0, 0.0]
    return [float(np.log10(known.min())) - 0.1, float(np.log10(known.max())) + 0.1]


def _ticks() -> dict[str, Any]:
    """Ticks of a logarithmic axis at 1, 2 and 5 times the powers of ten."""
    values = [float(f"{digit}e{power}") for power in range(-6, 5) for digit in (1, 2, 5)]
    return {"tickvals": values, "ticktext": [f"{value:g}" for value in values]}

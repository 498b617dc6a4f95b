"""Figure of two gradient estimators of one Gaussian: score function and pathwise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.figures.gradients import LOOKS, Look
from app.figures.style import NEUTRAL, layout
from vae_core.basics.arrays import Floats

GOAL = 2.0
"""Where f(z) = −½(z − 2)² is highest."""
REPEATS = 2000
_BINS = 60


@dataclass(frozen=True)
class Estimates:
    """Estimates of ∂/∂μ E f(z) for z ~ N(μ, σ²), each a mean over L draws.

    Attributes:
        score: f(z)·(z − μ)/σ², (``REPEATS``,).
        pathwise: f′(μ + σε), (``REPEATS``,).
        truth: the derivative itself, −(μ − 2).
    """

    score: Floats
    pathwise: Floats
    truth: float

    @property
    def ratio(self) -> float:
        """Variance of the score function divided by the variance of the pathwise gradient."""
        return float(self.score.var() / self.pathwise.var())


def draw(mean: float, sd: float, samples: int, seed: int = 0) -> Estimates:
    """Estimate the derivative ``REPEATS`` times with L = ``samples`` draws each."""
    epsilon = np.random.default_rng(seed).normal(size=(REPEATS, samples))
    z = mean + sd * epsilon
    value, slope = -0.5 * (z - GOAL) ** 2, -(z - GOAL)
    return Estimates((value * epsilon / sd).mean(1), slope.mean(1), -(mean - GOAL))


def two_estimators(found: Estimates) -> go.Figure:
    """Plot both histograms on one axis, one above the other, with the true derivative."""
    base = layout("2,000 estimates of the same derivative", None, None, height=330)
    low, high = np.quantile(found.score, (0.005, 0.995))
    low, high = min(low, found.pathwise.min()), max(high, found.pathwise.max())
    reach = [float(low), float(high)]
    base["xaxis"] |= {
        "range": reach,
        "title": {"text": "estimate of ∂E f/∂μ", "standoff": 8},
        "anchor": "y2",
    }
    base["yaxis"] |= {"domain": [0.55, 1], "showticklabels": False}
    base["yaxis"]["title"] = {"text": "how often", "standoff": 8}
    base["yaxis2"] = {
        "domain": [0, 0.45], "showticklabels": False, "zeroline": False, "anchor": "x",
        "title": {"text": "how often", "standoff": 8},
    }  # fmt: skip
    base["shapes"] = [
        {"type": "line", "x0": found.truth, "x1": found.truth, "y0": 0, "y1": 1, "yref": "paper",
         "line": {"color": NEUTRAL, "width": 2, "dash": "dash"}}
    ]  # fmt: skip
    size = (reach[1] - reach[0]) / _BINS
    bins = {"start": reach[0], "end": reach[1], "size": size}
    traces = [
        _histogram(found.score, LOOKS["score-function"], bins, "y"),
        _histogram(found.pathwise, LOOKS["pathwise"], bins, "y2"),
        {"type": "scatter", "x": [None], "y": [None], "mode": "lines", "name": "true derivative",
         "line": {"color": NEUTRAL, "width": 2, "dash": "dash"}},
    ]  # fmt: skip
    return go.Figure(traces, base)


def _histogram(values: Floats, look: Look, bins: dict[str, float], axis: str) -> dict[str, Any]:
    return {
        "type": "histogram", "x": values, "xbins": bins, "name": look.label, "yaxis": axis,
        "marker": {"color": look.colour},
        "hovertemplate": f"{look.label}: %{{x}}: %{{y}} times<extra></extra>",
    }  # fmt: skip

"""Figure of the change of variables in one dimension: z = μ + σε, and the densities of both."""

from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from app.figures.style import HIGHLIGHT, KL, LOG_Q, NEUTRAL, faint, layout
from vae_core.basics.arrays import Floats

WIDTH = 0.5
"""Width of the strip of ε whose image under the map is shown."""
REACH = {"epsilon": 3.5, "z": 7.0}
_HIGHEST = 1.4  # above the density of the smallest σ that can be chosen
_POINTS = 281


def normal(value: Floats, mean: float = 0.0, sd: float = 1.0) -> Floats:
    """Density of N(mean, sd²)."""
    return np.exp(-0.5 * ((value - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))


def change_of_variables(mean: float, sd: float, at: float) -> go.Figure:
    """Plot the densities of ε and of z = μ + σε, with the same strip of probability in both.

    Args:
        mean, sd: μ and σ.
        at: the left end of the strip of ε.
    """
    base = layout("The same probability, before and after the map", height=330)
    base["xaxis"] |= {
        "domain": [0, 0.42],
        "range": _range("epsilon"),
        "title": {"text": "ε", "standoff": 8},
    }
    base["xaxis2"] = {
        "domain": [0.52, 1], "range": _range("z"), "title": {"text": "z = μ + σε", "standoff": 8},
        "anchor": "y2", "zeroline": False, "showgrid": False,
    }  # fmt: skip
    base["yaxis"] |= {"range": [0, _HIGHEST], "title": {"text": "density", "standoff": 8}}
    base["yaxis2"] = {
        "range": [0, _HIGHEST], "anchor": "x2", "zeroline": False, "nticks": 7,
        "showticklabels": False,
    }  # fmt: skip
    epsilon = np.linspace(-REACH["epsilon"], REACH["epsilon"], _POINTS)
    z = np.linspace(-REACH["z"], REACH["z"], 2 * _POINTS)
    strip = np.linspace(at, at + WIDTH, 21)
    own, wrong = normal(z, mean, sd), sd * normal((z - mean) / sd)
    moved = mean + sd * strip
    traces = [
        _curve(epsilon, normal(epsilon), "p(ε)", NEUTRAL, "solid", 1),
        _area(strip, normal(strip), 1, show=True),
        _curve(z, own, "q(z) = p(ε) / σ", LOG_Q.colour, "solid", 2),
        _area(moved, normal(moved, mean, sd), 2, show=False),
        _curve(z, wrong, "the slip: p(ε) · σ", KL.colour, "dash", 2),
    ]
    return go.Figure(traces, base)


def _range(axis: str) -> list[float]:
    return [-REACH[axis], REACH[axis]]


def _axes(panel: int) -> dict[str, str]:
    return {} if panel == 1 else {"xaxis": "x2", "yaxis": "y2"}


def _curve(x: Floats, y: Floats, name: str, colour: str, dash: str, panel: int) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": name,
        "line": {"color": colour, "width": 2.5, "dash": dash}, **_axes(panel),
        "hovertemplate": f"{name}: %{{y:.3f}} at %{{x:.2f}}<extra></extra>",
    }  # fmt: skip


def _area(x: Floats, y: Floats, panel: int, *, show: bool) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "fill": "tozeroy",
        "fillcolor": faint(HIGHLIGHT, 0.45), "line": {"color": HIGHLIGHT, "width": 1.5},
        "name": "the same probability", "showlegend": show, "hoverinfo": "skip", **_axes(panel),
    }  # fmt: skip


class Heights(NamedTuple):
    """The density of ε at a point, and of z where the point goes."""

    noise: float
    latent: float


def heights(sd: float, at: float) -> Heights:
    """Densities at ε = ``at`` and at z = μ + σε, for any μ."""
    noise = float(normal(np.array(at)))
    return Heights(noise, noise / sd)

"""A true posterior p(z|x) with the q(z|x) of families over it, on a plane or on a line."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from app.figures import style
from app.figures.style import HIGHLIGHT, NEUTRAL, faint
from vae_core.basics.arrays import Floats

Spec = dict[str, Any]

GROUND_SCALE = ((0.0, faint(NEUTRAL, 0)), (0.35, faint(NEUTRAL, 0.36)), (1.0, faint(NEUTRAL, 0.85)))
"""From transparent to grey, so that the colours of families are visible in both themes."""
_SHOWN = 0.01  # of the peak; where the density is lower, the plane need not be shown
_SIDES = 0.06  # margin, as a share of the plot
_TRUE = "true p(z|x)"


class Ground(NamedTuple):
    """A true posterior on a grid.

    Attributes:
        x, y: the grid lines, (n,) and (m,).
        density: (n, m), the entry [i, j] at (x[i], y[j]).
        levels: densities at which contours are drawn.
    """

    x: Floats
    y: Floats
    density: Floats
    levels: Sequence[float] = ()


class Layer(NamedTuple):
    """A family or a method, drawn over the true posterior.

    Attributes:
        name, colour: name and colour of the family or method.
        curves: closed curves, (m, 2) each, the innermost first.
        draws: draws of z, (n, 2).
        dash: line style of the curves.
    """

    name: str
    colour: str
    curves: Sequence[Floats] = ()
    draws: Floats | None = None
    dash: str = "solid"


def plane_figure(
    ground: Ground | None,
    layers: Sequence[Layer],
    *,
    title: str = "",
    titles: tuple[str, str] = ("z₁", "z₂"),
    true_draws: Floats | None = None,
    true_z: Floats | None = None,
    window: tuple[Floats, Floats] | None = None,
    height: int = 560,
    bare: bool = False,
) -> go.Figure:
    """Plot the true posterior in grey, with contours and draws over it; axes of the same scale.

    Args:
        ground: the true posterior on a grid, if it is known.
        true_draws: draws of the true posterior, (n, 2), if its density is not known.
        true_z: the latent that the image was made from, (2,).
        window: lower left and upper right corner; by default those of :func:`window_of`.
        bare: without axes and legend, for many small plots side by side.
    """
    traces = [] if ground is None else _ground(ground, lines=not bare)
    if true_draws is not None:
        traces.append(_dots(true_draws, NEUTRAL, _TRUE, 4, 0.5))
    for layer in layers:
        traces += _layer(layer)
    if true_z is not None:
        traces.append(_cross(true_z))
    low, high = window or window_of(ground, layers, true_draws, true_z)
    layout = style.layout(title, *titles, height=height, legend=not bare)
    for axis, a, b in zip(("xaxis", "yaxis"), low, high, strict=True):
        layout[axis] |= {"range": [float(a), float(b)], "showgrid": False, "constrain": "domain"}
        if bare:
            layout[axis] |= {"visible": False, "fixedrange": True}
    layout["yaxis"] |= {"scaleanchor": "x", "scaleratio": 1}
    if bare:
        layout["margin"] = {"t": 2, "r": 2, "b": 2, "l": 2, "pad": 0}
    return go.Figure(traces, layout)


def window_of(
    ground: Ground | None,
    layers: Sequence[Layer],
    true_draws: Floats | None = None,
    true_z: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Corners of the part of the plane where something is drawn, with a margin."""
    parts = [curve for layer in layers for curve in layer.curves]
    parts += [layer.draws for layer in layers if layer.draws is not None and not layer.curves]
    parts += [each for each in (true_draws,) if each is not None]
    parts += [true_z[None]] if true_z is not None else []
    if ground is not None:
        rows, columns = np.nonzero(ground.density >= _SHOWN * ground.density.max())
        parts.append(np.column_stack([ground.x[rows], ground.y[columns]]))
    points = np.concatenate(parts)
    low, high = points.min(0), points.max(0)
    margin = _SIDES * (high - low).max() + 1e-6
    return low - margin, high + margin


def _ground(ground: Ground, lines: bool) -> list[Spec]:
    share = ground.density.T / ground.density.max()
    place = {"x0": ground.x[0], "dx": ground.x[1] - ground.x[0],
             "y0": ground.y[0], "dy": ground.y[1] - ground.y[0]}  # fmt: skip
    traces: list[Spec] = [{
        "type": "heatmap", "z": np.round(255 * share).astype(np.uint8), **place, "zmin": 0,
        "zmax": 255, "colorscale": GROUND_SCALE, "showscale": False, "hoverinfo": "skip",
        "name": _TRUE, "zsmooth": "best",
    }]  # fmt: skip
    if lines:
        traces += [{
            "type": "contour", "z": (100 * share).astype(np.float32), **place, "showscale": False,
            "contours": {"coloring": "lines", "start": at, "end": at, "size": 1},
            "line": {"width": 1.4, "dash": "dot"}, "hoverinfo": "skip",
            "colorscale": ((0, NEUTRAL), (1, NEUTRAL)), "name": _TRUE, "ncontours": 1,
            "showlegend": index == 0,
        } for index, at in enumerate(100 * level / ground.density.max() for level in ground.levels)
        ]  # fmt: skip
    return traces


def _layer(layer: Layer) -> list[Spec]:
    traces = []
    if layer.draws is not None:
        shown = 0.35 if layer.curves else 0.5
        traces.append(
            _dots(layer.draws, layer.colour, layer.name, 3, shown)
            | {"showlegend": not layer.curves}
        )
    traces += [
        {
            "type": "scatter", "x": curve[:, 0], "y": curve[:, 1], "mode": "lines",
            "name": layer.name, "legendgroup": layer.name + layer.dash, "showlegend": index == 0,
            "line": {"color": layer.colour, "width": 2.6 - 0.7 * index, "dash": layer.dash},
            "hovertemplate": f"{layer.name}<extra></extra>",
        }
        for index, curve in enumerate(layer.curves)
    ]  # fmt: skip
    return traces


def _dots(points: Floats, colour: str, name: str, size: int, opacity: float) -> Spec:
    return {
        "type": "scatter", "x": points[:, 0].astype(np.float32),
        "y": points[:, 1].astype(np.float32), "mode": "markers", "name": name,
        "marker": {"color": colour, "size": size, "opacity": opacity}, "hoverinfo": "skip",
    }  # fmt: skip


def _cross(z: Floats) -> Spec:
    return {
        "type": "scatter", "x": z[:1], "y": z[1:2], "mode": "markers", "name": "the image's own z",
        "marker": {"color": HIGHLIGHT, "size": 12, "symbol": "x-thin",
                   "line": {"color": HIGHLIGHT, "width": 3}},
        "hovertemplate": "the z that x was drawn from<extra></extra>",
    }  # fmt: skip


# ---- d = 1


class Curve(NamedTuple):
    """A density on the line: its name and colour, z (n,) and the density there (n,)."""

    name: str
    colour: str
    z: Floats
    density: Floats
    dash: str = "solid"


def line_figure(
    z: Floats,
    density: Floats,
    curves: Sequence[Curve],
    *,
    title: str = "",
    true_z: float | None = None,
    height: int = 480,
    bare: bool = False,
) -> go.Figure:
    """Plot the true posterior p(z|x) for d = 1 as a grey area, and densities q(z|x) over it."""
    traces: list[Spec] = [{
        "type": "scatter", "x": z, "y": density, "mode": "lines", "fill": "tozeroy",
        "fillcolor": faint(NEUTRAL, 0.35), "line": {"color": NEUTRAL, "width": 1.4, "dash": "dot"},
        "name": _TRUE, "hovertemplate": "z = %{x:.2f}: %{y:.3f}<extra></extra>",
    }]  # fmt: skip
    traces += [{
        "type": "scatter", "x": curve.z, "y": curve.density, "mode": "lines", "name": curve.name,
        "line": {"color": curve.colour, "width": 2.25, "dash": curve.dash},
        "hovertemplate": f"{curve.name}, z = %{{x:.2f}}: %{{y:.3f}}<extra></extra>",
    } for curve in curves]  # fmt: skip
    if true_z is not None:
        traces.append(_cross(np.array([true_z, 0.0])))
    inside = z[density >= _SHOWN * density.max()]
    parts = [inside, *(c.z[c.density >= _SHOWN * c.density.max()] for c in curves)]
    low, high = min(p.min() for p in parts), max(p.max() for p in parts)
    margin = _SIDES * (high - low)
    layout = style.layout(title, "z", "density", height=height, legend=not bare)
    layout["xaxis"] |= {"range": [float(low - margin), float(high + margin)]}
    layout["yaxis"] |= {"rangemode": "tozero"}
    if bare:
        layout["xaxis"]["visible"] = layout["yaxis"]["visible"] = False
        layout["margin"] = {"t": 2, "r": 2, "b": 2, "l": 2, "pad": 0}
    return go.Figure(traces, layout)


# ---- a flow


def flow_bars(log_abs_dets: Floats, step: int, colour: str, *, height: int = 240) -> go.Figure:
    """Plot E_q log |det| of every flow step, ± one standard deviation over draws.

    Args:
        log_abs_dets: log |det| of each step and draw, (T, n), in nats.
        step: the chosen step, 1 to T; 0 for none.
    """
    count = np.arange(1, len(log_abs_dets) + 1)
    mean, sd = log_abs_dets.mean(1), log_abs_dets.std(1)
    bars = {
        "type": "bar", "x": count, "y": mean, "width": 0.7, "name": "log |det|",
        "marker": {"color": [colour if t == step else faint(colour, 0.35) for t in count]},
        "error_y": {"array": sd, "color": NEUTRAL, "thickness": 1.2, "width": 3},
        "customdata": sd,
        "hovertemplate": "step %{x}: %{y:.3f} nats, sd over draws %{customdata:.3f}<extra></extra>",
    }  # fmt: skip
    layout = style.layout("What each step stretches", "step t", "log |det| (nats)",
                          height=height, legend=False)  # fmt: skip
    layout["xaxis"] |= {"dtick": 1 if len(count) < 13 else None, "range": [0.4, len(count) + 0.6]}
    layout["yaxis"] |= {"zeroline": True, "zerolinecolor": faint(NEUTRAL, 0.6)}
    return go.Figure([bars], layout)


def flow_points(
    points: Floats, log_abs_det: Floats | None, curves: Sequence[Floats], colour: str
) -> list[Spec]:
    """Traces of z_t: draws coloured by log |det| of step t, and the circles of ε.

    Args:
        points: z_t of each draw, (n, 2).
        log_abs_det: log |det| of step t at each draw, (n,), in nats; None for z_0.
        curves: closed curves, (m, 2) each.
    """
    dots = _dots(points, colour, "draws", 5, 0.75)
    if log_abs_det is not None:
        dots["marker"] |= {
            "color": log_abs_det.astype(np.float32), "colorscale": style.DENSITY_SCALE,
            "opacity": 0.9,
            "colorbar": {"title": {"text": "log |det|<br>(nats)", "side": "top"}, "thickness": 9,
                         "len": 0.6, "outlinewidth": 0, "nticks": 5},
        }  # fmt: skip
        dots |= {"hoverinfo": "text", "text": [f"{v:.2f} nats" for v in log_abs_det]}
    return [dots, *_layer(Layer("circles of ε", colour, curves))]


def flow_figure(
    ground: Ground | None,
    traces: Sequence[Spec],
    window: tuple[Floats, Floats],
    *,
    title: str,
    titles: tuple[str, str],
    height: int = 520,
) -> go.Figure:
    """Plot a stage of a flow (:func:`flow_points`) over the true posterior, in a fixed window."""
    figure = plane_figure(ground, [], title=title, titles=titles, window=window, height=height)
    figure.add_traces(list(traces))
    figure.update_layout(showlegend=False, margin={"t": 40})
    return figure

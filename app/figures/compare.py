"""Plots of several runs: training curves laid over each other, and KL by latent dimension."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from app.figures import style

Axis = Literal["epoch", "step", "seconds"]
AXES: dict[Axis, str] = {"epoch": "Epoch", "step": "Step", "seconds": "Training time (s)"}
_DASHES = ("solid", "dash", "dashdot")  # of the first ten runs, the next ten, and so on
_FEW, _LEGEND_ROW = 3, 20  # names that fit above the plot; pixels of a row of names below it
_SETTLED = 0.08  # share of the points of a curve, from the first, that the axis ignores


@dataclass(frozen=True)
class Curve:
    """A figure of one run over its training.

    Attributes:
        run: number of the run, which decides the colour.
        name: name of the run.
        x, y: epochs, steps or seconds, and the figure in nats, (n,) each; NaN where it is missing.
        is_training: whether it was measured on training images.
    """

    run: int
    name: str
    x: Sequence[float]
    y: Sequence[float]
    is_training: bool = False


def curves_figure(
    curves: Sequence[Curve], title: str, axis: Axis, *, height: int = 420
) -> go.Figure:
    """Lay curves of several runs over each other: training dotted, validation solid."""
    figure = go.Figure()
    both = len({curve.is_training for curve in curves}) > 1
    for curve in curves:
        x, y = _known(curve)
        part = "training" if curve.is_training else "validation"
        figure.add_scatter(
            x=x, y=y, mode="lines+markers" if len(x) < 4 else "lines", marker_size=5,
            line=_line(curve), name=f"{curve.name}, {part}" if both else curve.name,
            legendgroup=str(curve.run), showlegend=not (both and curve.is_training),
            hovertemplate=f"{AXES[axis].lower()} %{{x:,.4g}}: %{{y:.2f}} nats",
        )  # fmt: skip
    figure.update_layout(**style.layout(title, AXES[axis], "nats per image", height=height))
    figure.update_layout(yaxis_range=_settled_range(curves))
    _with_legend_below(figure, len({curve.run for curve in curves}), height)
    return figure


def kl_figure(
    names: Sequence[str], kl: Sequence[Sequence[float]], *, height: int = 360
) -> go.Figure:
    """Plot the KL of each latent dimension of several runs, largest first, in nats.

    Args:
        kl: of each run, the KL of its dimensions, (d,), where d may differ.
    """
    figure = go.Figure()
    for run, (name, values) in enumerate(zip(names, kl, strict=True)):
        order = np.argsort(-np.asarray(values, dtype=float), kind="stable")
        figure.add_scatter(
            x=list(range(1, len(order) + 1)), y=[values[i] for i in order], mode="lines+markers",
            marker_size=5, line=_line(Curve(run, name, (), ())), name=name,
            customdata=[f"z{i + 1}" for i in order],
            hovertemplate="%{customdata}: %{y:.3f} nats",
        )  # fmt: skip
    title = "KL by latent dimension, largest first"
    figure.update_layout(**style.layout(title, "Rank of the dimension", "KL (nats)", height=height))
    figure.update_layout(yaxis_rangemode="tozero")
    _with_legend_below(figure, len(names), height)
    return figure


def colour_of(run: int) -> str:
    """Colour of a run, by its number in the comparison."""
    return style.class_colour(run)


def _line(curve: Curve) -> dict[str, Any]:
    dash = _DASHES[curve.run // len(style.CLASSES) % len(_DASHES)]
    if curve.is_training:
        return {"color": colour_of(curve.run), "dash": "dot", "width": 1.5}
    return {"color": colour_of(curve.run), "dash": dash, "width": 2.25}


def _known(curve: Curve) -> tuple[list[float], list[float]]:
    """The points of a curve that are known: log p̂(x) is not measured at every epoch."""
    points = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(x + y)]
    return [x for x, _ in points], [y for _, y in points]


def _with_legend_below(figure: go.Figure, names: int, height: int) -> None:
    """Put the legend of many names below the plot, and make the figure higher for it."""
    if names <= _FEW:
        return
    taller = height + _LEGEND_ROW * math.ceil(names / 2)
    legend = {"x": 0, "xref": "paper", "y": -90 / height, "yref": "paper", "yanchor": "top"}
    figure.update_layout(height=taller, legend=legend, margin_t=40)


def _settled_range(curves: Sequence[Curve]) -> list[float] | None:
    """Range of the values without the first few of each curve, which lie far off."""
    kept: list[float] = []
    for curve in curves:
        _, values = _known(curve)
        kept += values[math.ceil(_SETTLED * len(values)) if len(values) > 8 else 0 :]
    if not kept:
        return None
    margin = 0.06 * (max(kept) - min(kept)) or 0.5
    return [min(kept) - margin, max(kept) + margin]

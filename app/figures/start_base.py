"""Axes and layout that all parts of the diagram on the Start page share."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from app.figures import style

Spec = dict[str, Any]  # a trace, an axis or a shape, as Plotly takes it

HEIGHT = 230


def figure(
    traces: Sequence[Spec],
    x: Spec,
    y: Spec,
    labels: Sequence[Spec] = (),
    shapes: Sequence[Spec] = (),
    more: Spec | None = None,
) -> go.Figure:
    """Make a figure of the diagram. The page writes its heading above it, in LaTeX."""
    layout = style.layout("", height=HEIGHT, legend=False)
    layout["xaxis"] |= x
    layout["yaxis"] |= y
    layout["margin"] = {"t": 4, "r": 10, "b": 4, "l": 4, "pad": 2}
    return go.Figure(
        list(traces), layout | {"annotations": labels, "shapes": shapes} | (more or {})
    )


def axis(title: str | None, **more: Any) -> Spec:
    return {"title": {"text": title, "standoff": 8}, **more}


def counted(title: str | None, count: int, **more: Any) -> Spec:
    """An axis of dimensions or steps, counted from 1."""
    return axis(title, **({"dtick": 1} if count < 7 else {"nticks": 6}), **more)

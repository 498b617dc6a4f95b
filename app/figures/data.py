"""Charts of a data set: how many images each class has in each part."""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures import style

MOST_BARS = 40
_LONGEST = 14  # characters of a class below its bar
_SHADES = {"train": ("training", 0.95), "validation": ("validation", 0.6), "test": ("test", 0.3)}


def counts_figure(
    counts: Mapping[str, np.ndarray], classes: Sequence[str], height: int = 260
) -> go.Figure:
    """Plot images by class, a bar each, with training, validation and test above each other.

    With more than 40 classes, those with the most images are shown.

    Args:
        counts: for each split, the number of images of each class, (K,).
    """
    total = sum(counts.values(), np.zeros(len(classes), np.int64))
    shown = np.arange(len(classes))
    title = "Images of each class"
    if len(classes) > MOST_BARS:
        shown = np.sort(np.argsort(-total, kind="stable")[:MOST_BARS])
        title = f"Images of the {MOST_BARS} largest of {len(classes):,} classes"
    names = [html.escape(_short(classes[i])) for i in shown.tolist()]
    figure = go.Figure()
    for split, values in counts.items():
        label, alpha = _SHADES[split]
        figure.add_bar(
            x=np.arange(len(shown)), y=values[shown], name=label, customdata=names,
            marker={"color": style.faint(style.NEUTRAL, alpha), "line": {"width": 0}},
            hovertemplate="%{customdata}: %{y:,} " + label + "<extra></extra>",
        )  # fmt: skip
    figure.update_layout(**style.layout(title, None, "images", height=height), barmode="stack")
    figure.update_layout(legend={"traceorder": "normal"})
    figure.update_xaxes(
        tickvals=np.arange(len(shown)), ticktext=names, ticks="", automargin=True,
        tickangle=0 if sum(map(len, names)) < 50 else -45,
    )  # fmt: skip
    return figure


def counts_table(
    counts: Mapping[str, np.ndarray], classes: Sequence[str]
) -> dict[str, Sequence[str] | np.ndarray]:
    """The same numbers as a table, all classes."""
    return {"class": list(classes), **{_SHADES[split][0]: each for split, each in counts.items()}}


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"

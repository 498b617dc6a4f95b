"""The look of all plots: colours of quantities and classes, layout, CSV.

Figures set no background or text colours: in the browser, ``st.plotly_chart(theme="streamlit")``
sets those of the light or the dark theme and overrides the template. So figures have an empty
template, and set only colours with a meaning. Every colour has a contrast of at least 3 with both
backgrounds, and colour-blind people can tell the colours of one palette apart. No colour has the
contrast of 4.5 that text needs on both backgrounds, so text always has the colour of the theme.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any, Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go

from vae_core.basics.tables import csv_text as csv_text
from vae_core.basics.tables import guarded

GROUNDS = ("#FBFAF7", "#14171B")  # the light and the dark page, as in .streamlit/config.toml


class Quantity(NamedTuple):
    """A quantity: its name and its colour, the same on every page."""

    label: str
    colour: str


ELBO = Quantity("ELBO", "#6B89F6")
LOG_PX = Quantity("log p(x)", "#7D4CB2")
LOG_LIKELIHOOD = Quantity("log p(x|z)", "#26706C")
KL = Quantity("KL", "#B53A0F")
LOG_Q = Quantity("log q(z|x)", "#7D9C11")
LOG_PRIOR = Quantity("log p(z)", "#B780A4")
QUANTITIES = (ELBO, LOG_PX, LOG_LIKELIHOOD, KL, LOG_Q, LOG_PRIOR)

NEUTRAL = "#80858D"  # references, held-out distributions: no quantity of the model
HIGHLIGHT = "#D9480F"  # the chosen item
CLASSES = (
    "#8D86BF", "#CB161E", "#009475", "#0694FC", "#C77C18",
    "#8E00FF", "#B9079A", "#FF339B", "#5E6752", "#4A5EC5",
)  # fmt: skip

INK = ("#101419", "#F8F6F1")  # the pixels 0 and 1, for both backgrounds
INK_SCALE = ((0.0, INK[0]), (1.0, INK[1]))
DENSITY_SCALE = "Viridis"
PATHS = (CLASSES[3], HIGHLIGHT)
"""Colours of two paths through the latent space, as different as colours can be."""
SIGNED_SCALE = ((0.0, KL.colour), (0.5, "rgba(128,133,141,0.15)"), (1.0, LOG_LIKELIHOOD.colour))

ImageFormat = Literal["png", "svg"]


@cache
def ink_palette() -> bytes:
    """Palette of 256 colours from dark to light ink, three bytes each."""
    dark, light = (np.array([int(ink[i : i + 2], 16) for i in (1, 3, 5)]) for ink in INK)
    return np.linspace(dark, light, 256).round().astype(np.uint8).tobytes()


def class_colour(label: int) -> str:
    """Colour of a class; the colours repeat after ten classes. Grey for −1, no class."""
    return NEUTRAL if label < 0 else CLASSES[label % len(CLASSES)]


def faint(colour: str, alpha: float = 0.2) -> str:
    """Make the colour ``#RRGGBB`` transparent, for bands and filled areas."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def line(quantity: Quantity, split: str = "validation") -> dict[str, Any]:
    """Line style of a curve: the colour shows the quantity, dots show training data."""
    dash = "dot" if split == "train" else "solid"
    return {"color": quantity.colour, "dash": dash, "width": 1.5 if split == "train" else 2.25}


def layout(
    title: str,
    x_title: str | None = None,
    y_title: str | None = None,
    *,
    height: int = 320,
    legend: bool = True,
    uirevision: str = "keep",
) -> dict[str, Any]:
    """Layout of every plot, for ``figure.update_layout(**layout(...))``.

    The title is at the top left, the legend in its own row between title and plot, so that neither
    covers data. Axis titles contain the unit: ``"ELBO (nats)"``.
    """
    return {
        "template": go.layout.Template(),
        "title": {"text": title, "x": 0, "xref": "container", "y": 1, "yref": "container",
                  "yanchor": "top", "pad": {"t": 6, "l": 2}},
        "height": height,
        "margin": {"t": 62 if legend else 40, "r": 12, "b": 8, "l": 8, "pad": 4},
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "xref": "container", "xanchor": "left",
                   "y": 1 - 30 / height, "yref": "container", "yanchor": "top",
                   "itemsizing": "constant", "title": {"text": ""}},
        "xaxis": {"title": {"text": x_title, "standoff": 8}, "zeroline": False, "showgrid": False},
        "yaxis": {"title": {"text": y_title, "standoff": 8}, "zeroline": False, "nticks": 7},
        "hovermode": "closest",
        "colorway": CLASSES,
        "uirevision": uirevision,
    }  # fmt: skip


def chart_config(name: str, image_format: ImageFormat = "png") -> dict[str, Any]:
    """Plotly configuration of every chart; a saved picture is called ``name``."""
    return {
        "displaylogo": False,
        "scrollZoom": False,
        "doubleClick": "reset",
        "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d"],
        "toImageButtonOptions": {"format": image_format, "filename": name, "scale": 2},
    }


def figure_csv(figure: go.Figure) -> str:
    """Write the data of a figure as CSV, a row for each point: trace, x, y, and z if it exists."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("trace", "x", "y", "z"))
    traces: Any = figure.data
    for index, trace in enumerate(traces):
        name = trace.name or f"{trace.type} {index + 1}"
        writer.writerows([guarded(name), *map(guarded, row)] for row in _points(trace))
    return out.getvalue()


def _points(trace: Any) -> Iterator[tuple[Any, Any, Any]]:
    z = getattr(trace, "z", None)
    x, y = getattr(trace, "x", None), getattr(trace, "y", None)
    if z is not None and np.ndim(z) >= 2:
        x = _ticks(x, trace.x0, trace.dx, np.shape(z)[1])
        y = _ticks(y, trace.y0, trace.dy, np.shape(z)[0])
        yield from ((x[j], y[i], _cell(v)) for i, row in enumerate(z) for j, v in enumerate(row))
        return
    length = max((len(a) for a in (x, y) if a is not None), default=0)
    x = range(length) if x is None else x
    y = [""] * length if y is None else y
    yield from ((a, b, "") for a, b in zip_longest(x, y, fillvalue=""))


def _cell(value: Any) -> Any:
    """A number unchanged; red, green and blue as ``#rrggbb``."""
    return value if np.ndim(value) == 0 else "#" + bytes(np.asarray(value, np.uint8)).hex()


def _ticks(values: Any, start: float | None, step: float | None, count: int) -> Sequence[Any]:
    if values is not None:
        return values
    return [(start or 0) + (1 if step is None else step) * i for i in range(count)]

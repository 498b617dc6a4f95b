"""Sheets of decoded images, paths between latents, and figures of each latent dimension."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.figures import pictures, style
from app.figures.latent_map import density_bars, dimension_name
from app.figures.prior import Prior
from vae_core.wording.numbers import typeset

_HISTOGRAM_COLUMNS = 3
_FINE = 24  # an image on a sheet is enlarged to about this many pixels
_PATH_MARKS = (("solid", "circle"), ("dot", "diamond-open"))  # line and mark of each path
_FEWEST_BARS = 8  # space for at least this many bars, so that a bar is never too wide

# ---- sheets of images


def sheet_figure(
    images: np.ndarray,
    column_labels: Sequence[str],
    row_labels: Sequence[str],
    *,
    title: str = "",
    x_title: str = "",
    y_title: str = "",
    height: int = 320,
    hover: Sequence[str] = (),
) -> go.Figure:
    """Show pictures (R, C, H, W), or (R, C, H, W, 3), in rows and columns.

    An empty label has no tick. With a ``hover`` text for each image, row by row, an image can also
    be clicked: its number is the ``customdata`` of the selection.
    """
    images = _enlarged(images)
    rows, columns, high, wide = images.shape[:4]
    sheet = pictures.tile(images.reshape(-1, *images.shape[2:]), columns)
    across, down = 1 / (wide + 1), 1 / (high + 1)  # column j is centred at j, row i at i
    figure = go.Figure(
        pictures.image_trace(
            sheet, x0=-(wide - 1) / 2 * across, dx=across, y0=-(high - 1) / 2 * down, dy=down
        )
    )
    if hover:
        figure.add_trace(_targets(rows, columns, hover))
    figure.update_layout(
        **style.layout(title, x_title or None, y_title or None, height=height, legend=False)
    )
    figure.update_layout(margin={"t": 40 if title else 4})
    figure.update_xaxes(
        **_ticks(column_labels), range=[-0.5, columns - 0.5], constrain="domain", side="bottom"
    )
    figure.update_yaxes(
        **_ticks(row_labels), range=[rows - 0.5, -0.5], constrain="domain", showgrid=False,
        scaleanchor="x", scaleratio=(high + 1) / (wide + 1), automargin=True,
    )  # fmt: skip
    return figure


def _targets(rows: int, columns: int, hover: Sequence[str]) -> go.Scatter:
    """Invisible points at the centres of the images, because a heatmap reports no clicks."""
    row, column = np.indices((rows, columns)).reshape(2, -1)
    unseen = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=column, y=row, mode="markers", customdata=np.arange(rows * columns), text=list(hover),
        marker={"opacity": 0, "size": 16}, selected=unseen, unselected=unseen, showlegend=False,
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _enlarged(images: np.ndarray) -> np.ndarray:
    """Repeat the pixels of small images, so that the gap between images is less than a pixel."""
    return pictures.enlarged(images, max(1, round(_FINE / images.shape[3])))


def sheet_csv(images: np.ndarray) -> str:
    """Write pictures (R, C, H, W), or (R, C, H, W, 3), as CSV, a row for each value."""
    places = np.indices(images.shape).reshape(images.ndim, -1)
    names = ("row", "column", "pixel row", "pixel column", "colour")[: images.ndim]
    columns = dict(zip(names, places, strict=True))
    return style.csv_text({**columns, "value": np.round(images.ravel(), 4)})


def _ticks(labels: Sequence[str]) -> dict[str, Any]:
    places = [i for i, label in enumerate(labels) if label]
    return {"tickvals": places, "ticktext": [labels[i] for i in places], "ticks": ""}


def length_figure(lengths: Mapping[str, np.ndarray], prior: Prior, height: int = 240) -> go.Figure:
    """Plot ‖z‖ along each path, (steps,), with the root mean square of ‖z‖ under the prior."""
    usual = prior.root_mean_square
    about = "√d, the" if prior.is_standard else "the"
    figure = go.Figure()
    for (name, values), colour, (dash, symbol) in zip(
        lengths.items(), style.PATHS, _PATH_MARKS, strict=True
    ):
        figure.add_scatter(
            x=np.linspace(0, 1, len(values)), y=values, name=name, mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 2}, marker={"size": 9, "symbol": symbol},
            hovertemplate="%{y:.2f}<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.add_hline(
        y=usual, line={"color": style.LOG_PRIOR.colour, "dash": "dot"},
        annotation={"text": f"{about} root mean square under the prior", "font": {"size": 12}},
    )  # fmt: skip
    layout = style.layout("Distance from the origin", "share of the way", "‖z‖", height=height)
    figure.update_layout(**layout)
    highest = max(usual, *(float(v.max()) for v in lengths.values()))
    figure.update_yaxes(range=[0, 1.2 * highest])
    return figure


# ---- dimensions


def kl_figure(kl: np.ndarray, dead: np.ndarray, height: int = 300) -> go.Figure:
    """Plot the KL of each latent dimension in nats, (d,), largest first; dead ones are grey."""
    order = np.argsort(-kl, kind="stable")
    names = [dimension_name(i) for i in order]
    figure = go.Figure()
    for name, here, colour in (
        ("active", ~dead[order], style.KL.colour),
        ("dead", dead[order], style.NEUTRAL),
    ):
        figure.add_bar(
            x=[n for n, keep in zip(names, here, strict=True) if keep], y=kl[order][here],
            name=name, marker={"color": colour},
            hovertemplate="%{x}: %{y:.3f} nats<extra>" + name + "</extra>",
        )  # fmt: skip
    layout = style.layout("KL by dimension", "latent dimension", "KL (nats)", height=height)
    figure.update_layout(**layout, bargap=0.25)
    figure.update_xaxes(
        categoryorder="array", categoryarray=names, range=[-0.5, max(len(kl), _FEWEST_BARS) - 0.5]
    )
    return figure


def aggregate_figure(
    draws: np.ndarray, dims: Sequence[int], prior: Prior, height: int = 0
) -> go.Figure:
    """Plot histograms of draws of the aggregate posterior (N, d), with the prior.

    The curve is the normal density with the prior's mean and standard deviation.
    """
    columns = min(_HISTOGRAM_COLUMNS, len(dims))
    rows = -(-len(dims) // columns)
    titles = [
        f"{dimension_name(i)}: {typeset(draws[:, i].mean(), '.2f')} ± {draws[:, i].std():.2f}"
        for i in dims
    ]
    figure = make_subplots(
        rows, columns, subplot_titles=titles,
        shared_xaxes=True, vertical_spacing=0.34 / max(rows, 2), horizontal_spacing=0.06,
    )  # fmt: skip
    shown = list(dims)
    reach = float((np.abs(prior.mean) + 3.2 * prior.sd)[shown].max())
    reach = max(reach, float(np.abs(draws[:, shown]).max()))
    curve = "prior N(0, 1)" if prior.is_standard else "normal density with the prior's moments"
    x = np.linspace(-reach, reach, 121)
    for number, dim in enumerate(dims):
        row, col = number // columns + 1, number % columns + 1
        first = number == 0
        bars = density_bars(draws[:, dim], "aggregate posterior q(z)", style.LOG_Q.colour, 30)
        figure.add_trace(bars.update(showlegend=first, legendgroup="q"), row=row, col=col)
        figure.add_scatter(
            x=x, y=_normal(x, prior.mean[dim], prior.sd[dim]), name=curve, mode="lines",
            line={"color": style.LOG_PRIOR.colour, "width": 2}, hoverinfo="skip",
            showlegend=first, legendgroup="p", row=row, col=col,
        )  # fmt: skip
    layout = style.layout(
        "Aggregate posterior and prior", height=height or 110 + 130 * rows, legend=True
    )
    for axis in ("xaxis", "yaxis"):
        layout.pop(axis)
    figure.update_layout(**layout, bargap=0)
    figure.update_layout(margin={"t": 84})
    figure.update_annotations(font={"size": 12})
    figure.update_xaxes(range=[-reach, reach], showgrid=False, zeroline=False)
    figure.update_yaxes(nticks=3, zeroline=False, rangemode="tozero")
    return figure


def _normal(x: np.ndarray, mean: float, sd: float) -> np.ndarray:
    return np.exp(-(((x - mean) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))

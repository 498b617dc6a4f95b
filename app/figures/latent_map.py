"""The map of a latent space: posterior means of the data, and the posterior of one image."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from app.figures import style
from app.figures.prior import PriorOnPlane
from app.figures.regions import Region

_MANY_POINTS = 1500  # more points than this are drawn by WebGL
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_CHOSEN = {"color": style.HIGHLIGHT, "size": 11}
_NO_CLASS = "no class"
_MARGIN = 0.04  # around the data, as a share of their larger extent


class Scale(NamedTuple):
    """Values that colour the points, (N,), and their title with the unit."""

    title: str
    values: np.ndarray


def dimension_name(index: int) -> str:
    """Name of a latent dimension on pages, counted from 1: ``dimension_name(0)`` is ``z₁``."""
    return f"z{str(index + 1).translate(_SUBSCRIPTS)}"


def axis_titles(d: int, explained: Sequence[float]) -> tuple[str, str]:
    """Titles of the two axes of the map, for d latent dimensions."""
    if d == 1:
        return dimension_name(0), "class"
    if d == 2:
        return dimension_name(0), dimension_name(1)
    return tuple(  # type: ignore[return-value]
        f"PC {i + 1}, {share:.0%} of the variance of the means" for i, share in enumerate(explained)
    )


def map_figure(
    points: np.ndarray,
    index: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    d: int,
    explained: Sequence[float],
    prior: PriorOnPlane | None,
    *,
    embedding: str = "",
    region: Region | None = None,
    scale: Scale | None = None,
    chosen: np.ndarray | None = None,
    height: int = 560,
) -> go.Figure:
    """Plot posterior means on a plane, one point an image, coloured by class or by a scale.

    The browser itself marks a point that is clicked, so the figure need not change. For d = 1 each
    class has a row of its own.

    Args:
        points: positions on the plane, (N, 2); for d = 1 only the first coordinate is used.
        index: number of each image, (N,); a click on a point returns it as ``customdata``.
        labels: class of each image, (N,); −1 has none.
        explained: share of the variance along each axis, (2,).
        prior: drawn at 1, 2 and 3 standard deviations; for d = 1 only the first coordinate is used.
            None for an embedding, which has no place for it.
        embedding: the method that placed the points if they are on no plane of the latent space.
        region: an area that is outlined. Another one clears what the browser has selected.
        chosen: the point that is marked until another is clicked, (2,).
    """
    if d == 1:
        points = drawn_points(points, labels, d)
        chosen = None if chosen is None else np.array([chosen[0], _row_of(chosen[0], points)])
    figure = go.Figure()
    if scale is None:
        figure.add_traces(_class_traces(points, index, labels, classes))
    else:
        figure.add_trace(_scale_trace(points, index, labels, classes, scale, height))
    if chosen is not None:
        figure.add_trace(_chosen_trace(chosen, len(points)))
        points = np.vstack([points, chosen])
    x_title, y_title = embedding_titles(embedding) if embedding else axis_titles(d, explained)
    by = f" by {scale.title}" if scale is not None else ""
    title = f"Posterior means E[z|x]{by}" + (f", {embedding}" if embedding else "")
    layout = style.layout(title, x_title, y_title, height=height)
    figure.update_layout(**layout, dragmode="pan")
    if d == 1 and prior is not None:
        _lay_in_rows(figure, points, classes, prior)
    else:
        _lay_tightly(figure, points)
    if d > 1 and prior is not None:
        _add_prior(figure, points, prior)
    if region is not None:
        _add_region(figure, region)
    return figure


def _add_region(figure: go.Figure, region: Region) -> None:
    outline = {"color": style.HIGHLIGHT, "width": 1.5, "dash": "dash"}
    for part in region.parts:
        path = f"M{'L'.join(f'{x:.5g},{y:.5g}' for x, y in part)}Z"
        figure.add_shape(type="path", path=path, line=outline)
    # What was drawn with the mouse gives way to the outline, so that classes keep their colours.
    figure.update_layout(selectionrevision=region.text(), selections=[])


def embedding_titles(method: str) -> tuple[str, str]:
    """Titles of the two axes of an embedding, which have no unit."""
    return f"{method} 1 (no unit)", f"{method} 2 (no unit)"


def drawn_points(points: np.ndarray, labels: np.ndarray, d: int) -> np.ndarray:
    """Where :func:`map_figure` draws points (N, 2): for d = 1 in the rows of their classes."""
    return np.column_stack([points[:, 0], _rows_of(labels)]) if d == 1 else points


def _class_traces(
    points: np.ndarray, index: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> list[Any]:
    traces = []
    for label, name in [*enumerate(classes), (-1, _NO_CLASS)]:
        here = labels == label
        if here.any():
            marker = {"color": style.class_colour(label), "size": _size(len(points))}
            traces.append(_points(points[here], index[here], marker, len(points), name=name))
    return traces


def _scale_trace(
    points: np.ndarray,
    index: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[str],
    scale: Scale,
    height: int,
) -> Any:
    low, high = np.nanpercentile(scale.values, [1, 99])
    marker = {
        "color": scale.values,
        "cmin": low,
        "cmax": high,
        "colorscale": style.DENSITY_SCALE,
        "size": _size(len(points)),
        "colorbar": {  # in the place of the legend
            "orientation": "h", "thickness": 9,
            "x": 0, "xref": "container", "xanchor": "left", "xpad": 12, "len": 0.6,
            "y": 1 - 32 / height, "yref": "container", "yanchor": "top", "ypad": 0,
            "outlinewidth": 0, "nticks": 6,
        },
    }  # fmt: skip
    named = [*classes, _NO_CLASS]  # the last one is that of label −1
    names = [
        f"{named[label]}, {value:.1f}" for label, value in zip(labels, scale.values, strict=True)
    ]
    return _points(points, index, marker, len(points), text=names, showlegend=False)


def _points(
    points: np.ndarray, index: np.ndarray, marker: dict[str, Any], total: int, **about: Any
) -> Any:
    what = "%{text}" if "text" in about else "%{fullData.name}"
    kind = go.Scattergl if total > _MANY_POINTS else go.Scatter
    return kind(
        x=points[:, 0].astype(np.float32),
        y=points[:, 1].astype(np.float32),
        customdata=index,
        mode="markers",
        marker={"opacity": 0.75, **marker},
        selected={"marker": {**_CHOSEN, "opacity": 1}},
        unselected={"marker": {"opacity": 0.75}},
        hovertemplate=f"class {what}, image %{{customdata}}<extra></extra>",
        **about,
    )


def _chosen_trace(point: np.ndarray, total: int) -> Any:
    """The marked point, which is hidden when another point is clicked."""
    kind = go.Scattergl if total > _MANY_POINTS else go.Scatter
    return kind(
        x=point[:1],
        y=point[1:],
        mode="markers",
        name="chosen",
        marker=_CHOSEN,
        unselected={"marker": {"opacity": 0}},
        hoverinfo="skip",
        showlegend=False,
    )


def _size(count: int) -> int:
    return 5 if count > _MANY_POINTS else 7


def _rows_of(labels: np.ndarray) -> np.ndarray:
    """Heights of points: a row for each class, scattered so that points do not hide each other."""
    return labels + np.random.default_rng(0).uniform(-0.32, 0.32, len(labels))


def _row_of(x: float, points: np.ndarray) -> float:
    """Height of the point nearest to x."""
    return float(points[np.abs(points[:, 0] - x).argmin(), 1])


def _lay_in_rows(
    figure: go.Figure, points: np.ndarray, classes: Sequence[str], prior: PriorOnPlane
) -> None:
    low, high = _ranges(points[:, :1])[0]
    figure.update_xaxes(range=[low, high])
    lowest = -1 if (points[:, 1] < -0.5).any() else 0  # a row for images without a class
    rows = list(range(lowest, len(classes)))
    figure.update_yaxes(
        tickvals=rows, ticktext=[*[_NO_CLASS] * -lowest, *classes],
        range=[lowest - 0.6, len(classes) - 0.4],
    )  # fmt: skip
    for sigma in (-3, -2, -1, 0, 1, 2, 3):
        x = prior.mean[0] + sigma * prior.sd[0]
        figure.add_vline(x=x, line=_prior_line(), layer="below")


def _lay_tightly(figure: go.Figure, points: np.ndarray) -> None:
    """Give both axes the same scale, and let them end where the points do."""
    ranges = _ranges(points)
    for axis, limits in zip((figure.update_xaxes, figure.update_yaxes), ranges, strict=True):
        axis(range=list(limits), showgrid=False, constrain="domain")
    figure.update_yaxes(scaleanchor="x", scaleratio=1)


def _ranges(points: np.ndarray) -> list[tuple[float, float]]:
    """Limits of each axis around points (N, k), with a little margin."""
    lows, highs = points.min(0), points.max(0)
    margin = max(_MARGIN * float((highs - lows).max()), 0.05)
    return [(float(a) - margin, float(b) + margin) for a, b in zip(lows, highs, strict=True)]


def _add_prior(figure: go.Figure, points: np.ndarray, prior: PriorOnPlane) -> None:
    """Draw the prior behind the points, and name the outermost contour whose top is in view."""
    for sigma in (1, 2, 3):
        figure.add_shape(layer="below", line=_prior_line(), **_prior_contour(prior, sigma))
    (left, right), (bottom, top) = _ranges(points)
    tops = {sigma: prior.mean[1] + sigma * prior.sd[1] for sigma in (3, 2, 1)}
    for sigma, y in tops.items():
        if left < prior.mean[0] < right and bottom < y < top:
            figure.add_annotation(
                x=prior.mean[0], y=y, text=f"{sigma} σ of the prior", showarrow=False, yshift=8,
                font={"size": 11},
            )  # fmt: skip
            return


def _prior_contour(prior: PriorOnPlane, sigma: int) -> dict[str, Any]:
    """A circle or an ellipse; an ellipse whose axes are tilted has to be a path."""
    if not prior.is_aligned:
        corners = [f"{x:.5g},{y:.5g}" for x, y in prior.contour(sigma)]
        return {"type": "path", "path": f"M{'L'.join(corners)}Z"}
    (x, y), (width, height) = prior.mean, sigma * prior.sd
    return {"type": "circle", "x0": x - width, "x1": x + width, "y0": y - height, "y1": y + height}


def _prior_line() -> dict[str, Any]:
    return {"color": style.faint(style.NEUTRAL, 0.7), "width": 1, "dash": "dot"}


# ---- one posterior


def posterior_figure(
    draws: np.ndarray,
    contours: Sequence[np.ndarray],
    mean: np.ndarray,
    neighbours: np.ndarray,
    neighbour_labels: np.ndarray,
    *,
    titles: tuple[str, str] = ("", ""),
    title: str = "",
    height: int = 300,
) -> go.Figure:
    """Plot q(z|x) of one image, enlarged, among the posterior means of other images.

    Args:
        draws: z ~ q(z|x) on the plane, (n, 2).
        contours: closed curves, each (m, 2).
        mean: mean of q(z|x) on the plane, (2,).
        neighbours: posterior means on the plane, (N, 2); those outside the plot are left out.
        neighbour_labels: classes of the other images, (N,).
    """
    reach = 1.15 * max(float(np.abs(np.concatenate([draws, *contours]) - mean).max()), 0.05)
    near = (np.abs(neighbours - mean) < [4 * reach, reach]).all(1)  # the plot is wide
    figure = go.Figure()
    figure.add_scatter(
        x=neighbours[near, 0], y=neighbours[near, 1], mode="markers", name="other images",
        marker={"color": [style.class_colour(label) for label in neighbour_labels[near]],
                "size": 6, "opacity": 0.35},
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=draws[:, 0], y=draws[:, 1], mode="markers", name="draws of q(z|x)",
        marker={"color": style.LOG_Q.colour, "size": 3, "opacity": 0.55}, hoverinfo="skip",
    )  # fmt: skip
    for number, curve in enumerate(contours):
        figure.add_scatter(
            x=curve[:, 0], y=curve[:, 1], mode="lines", name=f"contour {number + 1}",
            line={"color": style.LOG_Q.colour, "width": 1.5}, hoverinfo="skip",
        )  # fmt: skip
    figure.add_scatter(
        x=mean[:1], y=mean[1:], mode="markers", name="mean", hoverinfo="skip",
        marker={**_CHOSEN, "size": 10},
    )  # fmt: skip
    figure.update_layout(**style.layout(title, *titles, height=height, legend=False))
    figure.update_xaxes(range=[mean[0] - reach, mean[0] + reach], nticks=6)
    figure.update_yaxes(
        range=[mean[1] - reach, mean[1] + reach], nticks=5, scaleanchor="x", showgrid=False
    )
    return figure


def density_figure(
    draws: np.ndarray, mean: float, others: np.ndarray, *, title: str = "", height: int = 300
) -> go.Figure:
    """Plot q(z|x) of one image for d = 1: a histogram of draws (n,), other means (N,) below."""
    reach = 1.3 * max(float(np.abs(draws - mean).max()), 0.05)
    figure = go.Figure()
    figure.add_trace(density_bars(draws, "q(z|x)", style.LOG_Q.colour))
    near = others[np.abs(others - mean) < reach]
    figure.add_scatter(
        x=near, y=np.zeros(len(near)), mode="markers", name="other images", hoverinfo="skip",
        marker={"symbol": "line-ns-open", "size": 9, "color": style.NEUTRAL, "opacity": 0.6},
    )  # fmt: skip
    figure.add_vline(x=mean, line={"color": style.HIGHLIGHT, "width": 2})
    layout = style.layout(title, dimension_name(0), "density", height=height, legend=False)
    figure.update_layout(**layout, bargap=0)
    figure.update_xaxes(range=[mean - reach, mean + reach])
    return figure


def density_bars(values: np.ndarray, name: str, colour: str, bins: int = 40) -> go.Bar:
    """Histogram of values (n,), normalised so that it integrates to 1."""
    heights, edges = np.histogram(values, bins=bins, density=True)
    return go.Bar(
        x=(edges[1:] + edges[:-1]) / 2, y=heights, width=np.diff(edges), name=name,
        marker={"color": style.faint(colour, 0.6), "line": {"width": 0}},
        hovertemplate="%{x:.2f}: %{y:.2f}<extra></extra>",
    )  # fmt: skip

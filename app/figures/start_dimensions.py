"""Figures of the diagram on the Start page for d > 2: the dimensions side by side.

Of many dimensions only the most active ones are shown: those in which q(z|x) of this image differs
most from the prior. A bar for each of the others would be too thin to read.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.figures import style
from app.figures.prior import Prior
from app.figures.start_base import Spec, axis, counted, figure
from app.figures.style import HIGHLIGHT, KL, LOG_PRIOR, LOG_Q, NEUTRAL, faint
from vae_core.basics.arrays import Floats

MOST = 8
"""At most this many dimensions are shown side by side."""
_REACH = 3.0  # standard deviations of the prior that are drawn on either side


def information(mean: Floats, sd: Floats, prior: Prior) -> Floats:
    """Compute KL(q(z_i|x) ‖ p(z_i)) of each dimension, (d,), in nats.

    It is the KL of the Gaussians with these moments, which is exact where both are Gaussian.

    Args:
        mean, sd: moments of each dimension under q(z|x), (d,).
    """
    away, ratio = (mean - prior.mean) / prior.sd, sd / prior.sd
    return 0.5 * (away**2 + ratio**2 - 1) - np.log(ratio)


def most_active(mean: Floats, sd: Floats, prior: Prior) -> Sequence[int]:
    """Choose the dimensions to show: all in their order or, of many, the most active ones."""
    if len(mean) <= MOST:
        return range(len(mean))
    return np.argsort(-information(mean, sd, prior), kind="stable")[:MOST].tolist()


def noise(epsilon: Floats, shown: Sequence[int]) -> go.Figure:
    """Plot one draw of ε, (d,), in the dimensions that are shown."""
    reach = max(_REACH, 1.05 * float(np.abs(epsilon[list(shown)]).max()))
    bars = _bars(epsilon, "ε", HIGHLIGHT, shown)
    return figure([bars], _named(shown, len(epsilon)), axis("ε", range=[-reach, reach]))


def latent(z: Floats, mean: Floats, sd: Floats, prior: Prior, shown: Sequence[int]) -> go.Figure:
    """Plot one draw of z, (d,), within q(z|x) and over the prior, in the dimensions shown.

    If these are not all, small bars below show the KL of every dimension, the largest first.
    """
    chosen = list(shown)
    place = np.arange(1, len(chosen) + 1)
    below = len(chosen) < len(z)
    number = np.array(chosen) + 1
    spread = {
        "type": "scatter", "x": place, "y": mean[chosen], "mode": "markers", "name": "q(z|x)",
        "customdata": np.stack([sd[chosen], number], -1),
        "marker": {"color": LOG_Q.colour, "symbol": "line-ew-open", "size": 10},
        "error_y": {"array": sd[chosen], "color": LOG_Q.colour, "width": 0, "thickness": 6},
        "hovertemplate": "dimension %{customdata[1]}: mean %{y:.2f}, sd %{customdata[0]:.2f}"
        "<extra></extra>",
    }  # fmt: skip
    followed = {
        "type": "scatter", "x": place, "y": z[chosen], "mode": "markers", "name": "z",
        "marker": {"color": HIGHLIGHT, "size": 9}, "customdata": number,
        "hovertemplate": "z of dimension %{customdata}: %{y:.2f}<extra></extra>",
    }  # fmt: skip
    reach = max(
        float((np.abs(prior.mean) + _REACH * prior.sd)[chosen].max()),
        float((np.abs(mean) + 2.5 * sd)[chosen].max()),
        1.05 * float(np.abs(z[chosen]).max()),
    )
    x, y = _named(shown, len(z)), axis("z", range=[-reach, reach])
    bands = _prior_bands(Prior(prior.mean[chosen], prior.sd[chosen]))
    if not below:
        return figure([spread, followed], x, y, shapes=bands)
    bars, more = _all_dimensions(information(mean, sd, prior), len(chosen))
    return figure(
        [spread, followed, bars],
        x | {"title": None},
        y | {"domain": [0.42, 1]},
        shapes=[band | {"yref": "y"} for band in bands],
        more=more,
    )


def gaussian(mean: Floats, scale: Floats, diagonal: bool, shown: Sequence[int]) -> go.Figure:
    """Plot the encoder's Gaussian: bars of μ; below, bars of σ, or C as a heatmap.

    C is shown as a whole, because it is triangular in the order of the dimensions only; then μ is
    shown as a whole too.

    Args:
        mean, scale: μ (d,), and C (d, d), the lower triangular Cholesky factor.
        diagonal: whether C is diagonal, with σ on its diagonal.
        shown: the dimensions to show.
    """
    every = shown if diagonal else range(len(mean))
    sigma = _bars(np.diag(scale), "σ", NEUTRAL, every)
    below = sigma | {"yaxis": "y2"} if diagonal else _cholesky(scale)
    way = {"rangemode": "tozero"} if diagonal else {"autorange": "reversed"}
    y2 = axis("σ" if diagonal else "C", domain=[0, 0.6], anchor="x", nticks=4, showgrid=False)
    x = _named(every, len(mean)) | {"title": None, "anchor": "y2"}
    return figure(
        [_bars(mean, "μ", LOG_Q.colour, every), below],
        x if diagonal else counted(None, len(mean), anchor="y2"),
        axis("μ", domain=[0.68, 1], nticks=4),
        more={"yaxis2": {**y2, "zeroline": False, **way}},
    )


def _named(shown: Sequence[int], count: int) -> Spec:
    """An axis with a place for each dimension shown, named by its number from 1."""
    if len(shown) == count:
        return counted("dimension", count)
    return axis(
        f"the {len(shown)} most active of {count} dimensions",
        tickvals=list(range(1, len(shown) + 1)), ticktext=[str(i + 1) for i in shown],
        range=[0.4, len(shown) + 0.6], tickangle=0,
    )  # fmt: skip


def _all_dimensions(kl: Floats, shown: int) -> tuple[Spec, dict[str, Any]]:
    """Small bars of the KL of every dimension, the largest first, and their two axes."""
    order = np.argsort(-kl, kind="stable")
    colours = [KL.colour if place < shown else faint(KL.colour, 0.45) for place in range(len(kl))]
    bars = {
        "type": "bar", "x": np.arange(1, len(kl) + 1), "y": kl[order], "name": "KL",
        "xaxis": "x2", "yaxis": "y2", "marker": {"color": colours}, "customdata": order + 1,
        "hovertemplate": "KL of dimension %{customdata}: %{y:.2f} nats<extra></extra>",
    }  # fmt: skip
    plain = {"zeroline": False, "showgrid": False}
    title = f"KL (nats) of all {len(kl)} dimensions"
    x2 = axis(title, anchor="y2", showticklabels=False, **plain)
    y2 = axis(None, domain=[0, 0.24], anchor="x2", nticks=3, rangemode="tozero", **plain)
    return bars, {"xaxis2": x2, "yaxis2": y2, "bargap": 0.15}


def _prior_bands(prior: Prior) -> list[Spec]:
    """Mean ± standard deviation under the prior: one band, or one a dimension if they differ."""
    look = {
        "type": "rect", "layer": "below", "fillcolor": faint(LOG_PRIOR.colour, 0.2),
        "line": {"width": 0},
    }  # fmt: skip
    low, high = prior.mean - prior.sd, prior.mean + prior.sd
    if np.ptp(low) == np.ptp(high) == 0:
        return [look | {"xref": "paper", "x0": 0, "x1": 1, "y0": low[0], "y1": high[0]}]
    return [
        look | {"x0": i - 0.5, "x1": i + 0.5, "y0": a, "y1": b}
        for i, (a, b) in enumerate(zip(low, high, strict=True), 1)
    ]


def _bars(values: Floats, name: str, colour: str, shown: Sequence[int]) -> Spec:
    chosen = list(shown)
    return {
        "type": "bar", "x": np.arange(1, len(chosen) + 1), "y": values[chosen], "name": name,
        "width": 0.7, "marker": {"color": colour}, "customdata": np.array(chosen) + 1,
        "hovertemplate": f"{name} of dimension %{{customdata}}: %{{y:.3f}}<extra></extra>",
    }  # fmt: skip


def _cholesky(scale: Floats) -> Spec:
    most = float(np.abs(scale).max())
    lower = np.where(np.tri(len(scale)) > 0, scale, np.nan)
    return {
        "type": "heatmap", "z": lower.astype(np.float32), "x0": 1, "y0": 1, "yaxis": "y2",
        "name": "C", "zmin": -most, "zmax": most, "colorscale": style.SIGNED_SCALE,
        "showscale": False, "hoverongaps": False,
        "hovertemplate": "row %{y}, column %{x} of C: %{z:.3f}<extra></extra>",
    }  # fmt: skip

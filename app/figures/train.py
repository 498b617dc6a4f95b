"""Plots of a run: terms of the ELBO, flow terms, KL by dimension, log p̂(x), film strip."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from app.figures import pictures, style
from app.figures.style import ELBO, KL, LOG_LIKELIHOOD, LOG_PX, LOG_Q, NEUTRAL, Quantity

TERMS: tuple[tuple[str, str, Quantity], ...] = (
    ("elbo", "ELBO", ELBO),
    ("log_px_z", "E log p(x|z)", LOG_LIKELIHOOD),
    ("kl", "KL", KL),
)
_SETTLED = 0.08  # share of the epochs, from the first, that the axes ignore
_DIMENSIONS = 32  # with more bars than this, bars have no names

Curves = Mapping[str, Sequence[float]]


def terms_figure(
    epochs: Sequence[int],
    train: Curves,
    validation: Curves,
    running: tuple[float, Mapping[str, float]] | None = None,
    *,
    last_epoch: int,
    height: int = 400,
) -> go.Figure:
    """Plot ELBO and E log p(x|z) above, KL below, by epoch: training dotted, validation solid.

    Args:
        epochs: finished epochs, (n,).
        train, validation: ``elbo``, ``log_px_z`` and ``kl``, (n,) each, in nats per image;
            ``validation`` also has ``elbo_se``.
        running: the epoch under way: its position, such as 0.4, and its training terms so far.
        last_epoch: the last epoch of the run.
    """
    figure = go.Figure()
    x = [*epochs, running[0]] if running else list(epochs)
    for key, label, quantity in TERMS:
        axis = {"yaxis": "y2"} if key == "kl" else {}
        y = [*train[key], running[1].get(key, math.nan)] if running else list(train[key])
        figure.add_scatter(
            x=x, y=y, mode=_mode(x), line=style.line(quantity, "train"), marker_size=5,
            name=f"{label}, training", showlegend=False, hovertemplate=_HOVER, **axis,
        )  # fmt: skip
        if key == "elbo" and len(epochs):
            _add_band(figure, epochs, validation["elbo"], validation["elbo_se"], quantity)
        figure.add_scatter(
            x=list(epochs), y=list(validation[key]), mode=_mode(epochs),
            line=style.line(quantity), marker_size=5, name=label,
            hovertemplate=_HOVER, **axis,
        )  # fmt: skip
    figure.add_scatter(
        x=[None], y=[None], mode="lines", line={"color": NEUTRAL, "dash": "dot"}, name="training"
    )
    figure.update_layout(**style.layout("Terms of the ELBO", "Epoch", height=height))
    upper = [validation["elbo"], validation["log_px_z"], train["elbo"], train["log_px_z"]]
    figure.update_layout(
        xaxis={"range": _epoch_range(last_epoch, x), "anchor": "y2"},
        yaxis={"domain": [0.38, 1], "title": {"text": "nats"}, "range": _settled_range(upper)},
        yaxis2={
            "domain": [0, 0.32], "title": {"text": "KL (nats)", "standoff": 8}, "nticks": 4,
            "zeroline": False, "range": _settled_range([validation["kl"], train["kl"]]),
        },
    )  # fmt: skip
    return figure


def flow_figure(
    epochs: Sequence[int], validation: Curves, *, last_epoch: int, height: int = 300
) -> go.Figure:
    """Plot log q_0(z_0|x), Σ_t log |det| and their difference log q(z|x) by epoch, in nats.

    ``validation`` has ``log_q0``, ``log_det_sum`` and ``log_qz``, (n,) each.
    """
    figure = go.Figure()
    for key, label, line in (
        ("log_qz", "log q(z|x)", style.line(LOG_Q)),
        ("log_q0", "log q₀(z₀|x)", {**style.line(LOG_Q), "dash": "dash"}),
        ("log_det_sum", "Σ log |det|", {"color": NEUTRAL, "width": 2.25}),
    ):
        figure.add_scatter(
            x=list(epochs), y=list(validation[key]), mode=_mode(epochs), line=line, name=label,
            marker_size=5, hovertemplate=_HOVER,
        )  # fmt: skip
    title = "The flow: log q = log q₀ − Σ log |det|"
    figure.update_layout(**style.layout(title, "Epoch", "nats", height=height))
    curves = [validation[key] for key in ("log_qz", "log_q0", "log_det_sum")]
    figure.update_layout(
        xaxis_range=_epoch_range(last_epoch, epochs), yaxis_range=_settled_range(curves)
    )
    return figure


def kl_figure(kl: Sequence[float], active: Sequence[bool], *, height: int = 300) -> go.Figure:
    """Plot the KL of each latent dimension, largest first; dead dimensions are grey.

    Args:
        kl: KL of each dimension, (d,), in nats.
        active: whether the posterior mean of each dimension changes with the image, (d,).
    """
    order = np.argsort(-np.asarray(kl, dtype=float), kind="stable")
    names = [f"z{_subscript(i + 1)}" for i in order]
    figure = go.Figure()
    for wanted, label, colour in ((True, "active", KL.colour), (False, "dead", NEUTRAL)):
        places = [rank for rank, i in enumerate(order) if bool(active[i]) == wanted]
        figure.add_bar(
            x=places, y=[kl[order[rank]] for rank in places], name=label, marker_color=colour,
            customdata=[names[rank] for rank in places],
            hovertemplate=f"%{{customdata}}: %{{y:.3f}} nats, {label}<extra></extra>",
        )  # fmt: skip
    count, alive = len(order), sum(map(bool, active))
    title = f"KL by latent dimension: {alive} of {count} active"
    figure.update_layout(**style.layout(title, None, "KL (nats)", height=height))
    few = count <= _DIMENSIONS
    figure.update_layout(bargap=0.25 if few else 0, xaxis={
        "tickvals": list(range(count)) if few else [], "ticktext": names if few else [],
        "range": [-0.6, count - 0.4],
        "title": {"text": "Dimension, sorted" if few else f"{count} dimensions, sorted"},
    }, yaxis_rangemode="tozero")  # fmt: skip
    return figure


def importance_figure(
    epochs: Sequence[int],
    log_px: Sequence[float],
    log_px_se: Sequence[float],
    elbo: Sequence[float],
    *,
    last_epoch: int,
    height: int = 300,
) -> go.Figure:
    """Plot log p̂(x) with its standard error, and the ELBO of the same images, by epoch, in nats."""
    figure = go.Figure()
    lower, upper = (np.add(log_px, sign * np.asarray(log_px_se)).tolist() for sign in (-1, 1))
    if len(epochs):
        _add_band(figure, epochs, log_px, log_px_se, LOG_PX)
    for y, name, quantity in ((log_px, "log p̂(x)", LOG_PX), (elbo, "ELBO, same images", ELBO)):
        figure.add_scatter(
            x=list(epochs), y=list(y), mode="lines+markers", line=style.line(quantity),
            marker_size=5, name=name, hovertemplate=_HOVER,
        )  # fmt: skip
    title = "log p̂(x) by importance sampling"
    figure.update_layout(**style.layout(title, "Epoch", "nats", height=height))
    figure.update_layout(
        xaxis_range=_epoch_range(last_epoch, epochs),
        yaxis_range=_settled_range([elbo, lower, upper]),
    )
    return figure


def pairs(originals: np.ndarray, reconstructions: np.ndarray, columns: int = 6) -> np.ndarray:
    """Arrange pictures with their reconstructions below them, ``columns`` side by side.

    Args:
        originals: pictures, (N, H, W) or (N, H, W, 3).
        reconstructions: pictures of the same shape.
    """
    rows = []
    for start in range(0, len(originals), columns):
        chosen = slice(start, start + columns)
        rows += [*originals[chosen], *reconstructions[chosen]]
    return pictures.tile(np.stack(rows), columns)


def strip_figure(
    epochs: Sequence[int], frames: np.ndarray, names: Sequence[str], *, height: int = 300
) -> go.Figure:
    """Show a film strip: each row is an image, each column an epoch.

    Args:
        epochs: epochs of the columns, (n,); epoch 0 is called "given".
        frames: pictures, (n, rows, H, W) or (n, rows, H, W, 3).
        names: names of the rows.
    """
    count, rows, side, width = frames.shape[:4]
    sheet = pictures.tile(frames.swapaxes(0, 1).reshape(-1, *frames.shape[2:]), count)
    figure = go.Figure(pictures.image_trace(sheet))
    figure.update_layout(**style.layout("Film strip", "Epoch", height=height, legend=False))
    across = [column * (width + 1) + (width - 1) / 2 for column in range(count)]
    down = [row * (side + 1) + (side - 1) / 2 for row in range(rows)]
    labels = ["given" if epoch == 0 else f"{epoch:,}" for epoch in epochs]
    figure.update_xaxes(tickvals=across, ticktext=labels, constrain="domain",
                        constraintoward="left", ticks="")  # fmt: skip
    figure.update_yaxes(
        tickvals=down, ticktext=list(names), autorange="reversed", scaleanchor="x",
        constrain="domain", constraintoward="top", showgrid=False, ticks="",
    )  # fmt: skip
    return figure


_HOVER = "epoch %{x:.4g}: %{y:.2f} nats"


def _mode(x: Sequence[Any]) -> str:
    """Draw the points of a short curve: a line of one point would be invisible."""
    return "lines+markers" if len(x) < 4 else "lines"


def _add_band(
    figure: go.Figure,
    x: Sequence[int],
    y: Sequence[float],
    se: Sequence[float],
    quantity: Quantity,
) -> None:
    """Add a band of ± one standard error."""
    middle, spread = np.asarray(y, dtype=float), np.nan_to_num(np.asarray(se, dtype=float))
    edge = np.concatenate([middle + spread, (middle - spread)[::-1]])
    figure.add_scatter(
        x=[*x, *reversed(x)], y=edge, fill="toself", mode="lines", line_width=0,
        fillcolor=style.faint(quantity.colour, 0.15), hoverinfo="skip", showlegend=False,
        name=f"{quantity.label} ± standard error",
    )  # fmt: skip


def _epoch_range(last_epoch: int, x: Sequence[float]) -> list[float]:
    """Range of the epoch axis: the whole run after a fifth of it, about twice its length before."""
    now = max(x, default=1.0)
    end = last_epoch if now > 0.2 * last_epoch else min(last_epoch, max(5.0, 2 * now))
    return [0, end * 1.01]


def _settled_range(curves: Sequence[Sequence[float]]) -> list[float] | None:
    """Range of the values without the first few epochs, which lie far off; None without data."""
    kept = []
    for curve in curves:
        values = np.asarray(curve, dtype=float)
        kept.append(values[math.ceil(_SETTLED * len(values)) if len(values) > 8 else 0 :])
    values = np.concatenate(kept)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or 0.5
    return [low - margin, high + margin]


def _subscript(number: int) -> str:
    return str(number).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))

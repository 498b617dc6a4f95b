"""Figures of the diagram on the Start page: ε, the flow, and z.

All arrays are as in ``Walk`` and ``Reference`` of ``app/services/walk_numbers.py``: L draws of d
dimensions. The first draw is highlighted. The kind of figure depends on d: a density for d = 1, a
plane for d = 2, the dimensions side by side (``start_dimensions.py``) for d > 2.

Each layout is complete before it is given to Plotly. Plotly checks the whole figure at each change,
which would take longer than the rest of the page.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from app.figures import start_dimensions
from app.figures.prior import Prior, circle
from app.figures.start_base import Spec, axis, counted, figure
from app.figures.style import HIGHLIGHT, LOG_PRIOR, LOG_Q, NEUTRAL, faint
from vae_core.basics.arrays import Floats
from vae_core.wording.numbers import typeset

RADII = (1, 2, 3)  # radii of the circles |ε| = r that are the probe for d = 2
_REACH = 3.0  # standard deviations of a normal distribution that are drawn on either side
_FAINT_DRAWS = 300
_FLOW_PANELS = 6
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def noise(epsilon: Floats, probe: Floats, shown: Sequence[int] | None = None) -> go.Figure:
    """Plot ε ~ N(0, I).

    Args:
        epsilon: draws, (L, d).
        probe: for d = 1 a grid, (N, 1); for d = 2 the circles |ε| = 1, 2, 3, (N, 2); else unused.
        shown: for d > 2 the dimensions to show; by default all.
    """
    if epsilon.shape[1] == 1:
        bell = _density(probe[:, 0], _normal(probe[:, 0]), NEUTRAL, "p(ε)")
        return _on_a_line([bell], epsilon[:, 0], "ε", NEUTRAL)
    if epsilon.shape[1] == 2:
        return _in_a_plane(_rings(probe, NEUTRAL), epsilon, "ε", NEUTRAL, np.zeros(2), _REACH)
    return start_dimensions.noise(epsilon[0], shown or range(epsilon.shape[1]))


def latent(
    z: Floats,
    probe_z: Floats,
    probe_log_q: Floats,
    z_mean: Floats,
    z_sd: Floats,
    prior: Prior,
    probe_log_p: Floats,
) -> go.Figure:
    """Plot z ~ q(z|x) over the prior p(z).

    Args:
        z: draws, (L, d).
        probe_z: latents of the probe of :func:`noise`, (N, d).
        probe_log_q: log q(z|x) at ``probe_z``, (N,), in nats.
        z_mean, z_sd: moments of each dimension under q(z|x), (d,).
        prior: moments of each dimension under p(z); used for d > 1.
        probe_log_p: log p(z) at ``probe_z``, (N,), in nats; used for d = 1.
    """
    if z.shape[1] == 1:
        return _latent_line(z[:, 0], probe_z[:, 0], probe_log_q, probe_log_p)
    if z.shape[1] == 2:
        return _latent_plane(z, probe_z, prior)
    shown = start_dimensions.most_active(z_mean, z_sd, prior)
    return start_dimensions.latent(z[0], z_mean, z_sd, prior, shown)


def flow(log_abs_dets: Floats, probe_points: Floats, points: Floats) -> go.Figure:
    """Plot how T flow steps change the Gaussian.

    For d = 2 up to six of z_0, …, z_T are shown, with the circles of ε mapped to each, and the sum
    of log |det| since the one before. For other d each step has a bar.

    Args:
        log_abs_dets: log |det ∂z_t/∂z_{t−1}| of the highlighted draw, (T,), in nats.
        probe_points: the probe after every step, (T + 1, N, d).
        points: z_0, …, z_T of the highlighted draw, (T + 1, d).
    """
    if points.shape[1] == 2:
        return _flow_panels(log_abs_dets, probe_points, points)
    bars = {
        "type": "bar", "x": np.arange(1, len(log_abs_dets) + 1), "y": log_abs_dets, "width": 0.7,
        "name": "log |det|", "marker": {"color": LOG_Q.colour},
        "hovertemplate": "step %{x}: %{y:.3f} nats<extra></extra>",
    }  # fmt: skip
    step = counted("step t", len(log_abs_dets))
    return figure([bars], step, axis("log |det| (nats)"))


# ---- d = 1


def _latent_line(z: Floats, probe_z: Floats, probe_log_q: Floats, probe_log_p: Floats) -> go.Figure:
    order = np.argsort(probe_z)
    grid = probe_z[order]
    posterior = _density(grid, np.exp(probe_log_q[order]), LOG_Q.colour, "q(z|x)")
    prior = _density(grid, np.exp(probe_log_p[order]), LOG_PRIOR.colour, "p(z)")
    return _on_a_line([prior, posterior], z, "z", LOG_Q.colour)


def _density(grid: Floats, density: Floats, colour: str, name: str) -> Spec:
    return {
        "type": "scatter", "x": grid, "y": density, "name": name, "mode": "lines",
        "line": {"color": colour, "width": 2}, "fill": "tozeroy", "fillcolor": faint(colour, 0.12),
        "hoverinfo": "name",
    }  # fmt: skip


def _on_a_line(densities: Sequence[Spec], values: Floats, name: str, colour: str) -> go.Figure:
    """Plot densities over a line, with draws (L,) on the line."""
    draws = _draws(np.stack([values, np.zeros_like(values)], -1), name, colour)
    text = _label(f"{name} = {typeset(values[0], '.2f')}")
    return figure([*densities, *draws], axis(name), axis("density", nticks=5), [text])


# ---- d = 2


def _latent_plane(z: Floats, probe_z: Floats, prior: Prior) -> go.Figure:
    """Plot q(z|x) as large as possible; a small map shows where it lies in the prior."""
    widest = np.split(probe_z, len(RADII))[-1]
    centre = (widest.min(0) + widest.max(0)) / 2
    reach = float(np.abs(widest - centre).max())
    from_mean = np.concatenate([radius * prior.sd * circle() for radius in RADII])
    rings = [*_rings(prior.mean + from_mean, LOG_PRIOR.colour), *_rings(probe_z, LOG_Q.colour)]
    is_small = reach < prior.sd.max()
    small_map = _map(prior, from_mean, widest, centre, reach) if is_small else []
    return _in_a_plane([*rings, *small_map], z, "z", LOG_Q.colour, centre, reach)


def _map(
    prior: Prior, from_mean: Floats, inside: Floats, centre: Floats, reach: float
) -> list[Spec]:
    """Traces of a small map in a corner, which shows where q(z|x) lies in the prior.

    Args:
        from_mean: the rings of the prior around its mean, (N, 2).
        inside: the outermost ring of q(z|x), (n, 2).
        centre, reach: the square that the plot shows.
    """
    away = inside - prior.mean
    scale = 0.32 * reach / max(RADII[1] * float(prior.sd.max()), float(np.abs(away).max()))
    tilted_up = np.prod(inside - centre, -1).sum() > 0  # then the lower right corner is empty
    corner = centre + 0.66 * reach * np.array([1, -1 if tilted_up else 1])
    spot = corner + scale * away
    here = {
        "type": "scatter", "x": spot[:, 0], "y": spot[:, 1], "mode": "lines", "fill": "toself",
        "name": "q(z|x) in the prior", "line": {"color": LOG_Q.colour, "width": 2},
        "fillcolor": LOG_Q.colour, "hoverinfo": "skip",
    }  # fmt: skip
    return [*_rings(corner + scale * from_mean, LOG_PRIOR.colour), here]


def _in_a_plane(
    traces: Sequence[Spec],
    values: Floats,
    name: str,
    colour: str,
    centre: Floats,
    reach: float,
) -> go.Figure:
    """Plot draws (L, 2) in a square around ``centre`` that contains the highlighted draw."""
    reach = max(reach, 1.1 * float(np.abs(values[0] - centre).max()))
    x, y = ({"range": [c - reach, c + reach], "nticks": 6, "constrain": "domain"} for c in centre)
    text = f"{name} = ({typeset(values[0, 0], '.2f')}, {typeset(values[0, 1], '.2f')})"
    return figure(
        [*traces, *_draws(values, name, colour)],
        axis(f"{name}₁", **x),
        axis(f"{name}₂", **y, scaleanchor="x", showgrid=False),
        [_label(text)],
    )


def _rings(points: Floats, colour: str) -> list[Spec]:
    """Curves to which the circles |ε| = 1 and 2 of the probe are mapped."""
    return [
        {
            "type": "scatter", "x": ring[:, 0], "y": ring[:, 1], "mode": "lines",
            "name": f"|ε| = {radius}", "line": {"color": colour, "width": 2.6 - 0.6 * radius},
            "fill": "toself", "fillcolor": faint(colour, 0.1), "hoverinfo": "skip",
        }
        for radius, ring in zip(RADII[:2], np.split(points, len(RADII)), strict=False)
    ]  # fmt: skip


def _flow_panels(log_abs_dets: Floats, probe_points: Floats, points: Floats) -> go.Figure:
    last = len(log_abs_dets)
    shown = np.linspace(0, last, min(_FLOW_PANELS, last + 1)).round().astype(int)
    rows = -(-len(shown) // 2)
    traces, axes, labels = [], {}, []
    for index, t in enumerate(shown):
        column, row = index % 2, index // 2
        left, top = 0.52 * column, 1 - row / rows
        domains = ([left, left + 0.48], [top - 0.98 / rows, top - 0.25 / rows])
        more_traces, more_axes = _flow_panel(index + 1, probe_points[t], points[t], *domains)
        traces += more_traces
        axes |= more_axes
        gained = log_abs_dets[shown[index - 1] : t].sum() if index else None
        gain = "" if gained is None else f"&nbsp; {typeset(gained, '+.2f')}"
        labels.append(_label(f"z{t}".translate(_SUBSCRIPTS) + gain, (left + 0.24, top)))
    first = {"xaxis": axes.pop("xaxis1"), "yaxis": axes.pop("yaxis1")}
    bare = {"margin": {"t": 0, "r": 0, "b": 0, "l": 0}}
    return figure(traces, {}, {}, labels, more=axes | first | bare)


def _flow_panel(
    number: int, probe: Floats, point: Floats, x_domain: list[float], y_domain: list[float]
) -> tuple[list[Spec], Spec]:
    """The rings and the highlighted point after a step, and the two axes of their panel."""
    x, y = (f"{letter}{number if number > 1 else ''}" for letter in "xy")
    dot = {
        "type": "scatter", "x": point[:1], "y": point[1:], "mode": "markers", "hoverinfo": "skip",
        "marker": {"color": HIGHLIGHT, "size": 7}, "name": "z",
    }  # fmt: skip
    ring = np.split(probe, len(RADII))[1]
    centre = (ring.min(0) + ring.max(0)) / 2
    reach = 1.15 * float(max(np.abs(ring - centre).max(), np.abs(point - centre).max()))
    hidden = {"visible": False, "fixedrange": True, "constrain": "domain"}
    x_range, y_range = ([c - reach, c + reach] for c in centre)
    axes = {
        f"xaxis{number}": {**hidden, "domain": x_domain, "range": x_range, "anchor": y},
        f"yaxis{number}": {
            **hidden, "domain": y_domain, "range": y_range, "anchor": x, "scaleanchor": x
        },
    }  # fmt: skip
    traces = (*_rings(probe, LOG_Q.colour), dot)
    return [{**trace, "xaxis": x, "yaxis": y} for trace in traces], axes


# ---- for all


def _draws(values: Floats, name: str, colour: str) -> list[Spec]:
    """Traces of draws (L, 2): the first is highlighted, the others are faint."""
    others, common = values[1 : _FAINT_DRAWS + 1], {"type": "scatter", "mode": "markers"}
    return [
        common | {
            "x": others[:, 0], "y": others[:, 1], "name": f"the other {name}",
            "marker": {"color": colour, "size": 4, "opacity": 0.6}, "hoverinfo": "skip",
            "cliponaxis": False,
        },
        common | {
            "x": values[:1, 0], "y": values[:1, 1], "name": f"this {name}", "hoverinfo": "name",
            "marker": {"color": HIGHLIGHT, "size": 11}, "cliponaxis": False,
        },
    ]  # fmt: skip


def _label(text: str, place: tuple[float, float] | None = None) -> Spec:
    """A short text: in the plot's top left corner, or centred below a place."""
    x, y = place or (0.02, 1)
    return {
        "text": text, "x": x, "y": y, "showarrow": False, "yanchor": "top",
        "xref": "paper" if place else "x domain", "yref": "paper" if place else "y domain",
        "xanchor": "center" if place else "left",
    }  # fmt: skip


def _normal(values: Floats) -> Floats:
    return np.exp(-0.5 * values**2) / np.sqrt(2 * np.pi)

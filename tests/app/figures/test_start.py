"""The figures of the Start page show what they say, for every number of dimensions."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from app.figures import start_diagram, start_dimensions, start_estimates, style
from app.figures.prior import Prior

RNG = np.random.default_rng(0)
MEAN, SCALE = np.array([0.5, -2.0]), np.array([[0.2, 0.0], [0.1, 0.05]])


def circles() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 33)
    ring = np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.concatenate([radius * ring for radius in start_diagram.RADII])


def latent(
    z: np.ndarray,
    probe_z: np.ndarray,
    log_q: np.ndarray,
    mean: np.ndarray,
    sd: np.ndarray,
    prior_mean: float = 0.0,
    prior_sd: float = 1.0,
) -> go.Figure:
    """The figure of z over a prior of independent normal dimensions, all alike."""
    d = z.shape[1]
    moments = Prior(np.full(d, prior_mean), np.full(d, prior_sd))
    away = (probe_z - prior_mean) / prior_sd
    log_p = -0.5 * (away**2 + np.log(2 * np.pi)).sum(1) - d * np.log(prior_sd)
    return start_diagram.latent(z, probe_z, log_q, mean, sd, moments, log_p)


def spec(figure: go.Figure) -> dict[str, Any]:
    return figure.to_dict()


def traces(figure: go.Figure) -> list[Any]:
    return list(figure.data)


def trace(figure: go.Figure, name: str) -> Any:
    """The last trace of that name."""
    return [t for t in traces(figure) if t.name == name][-1]


def axis_range(figure: go.Figure, axis: str) -> tuple[float, float]:
    low, high = spec(figure)["layout"][axis]["range"]
    return low, high


@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_noise_and_latent_show_the_followed_draw_where_it_is(d: int) -> None:
    epsilon = RNG.normal(size=(50, d))
    epsilon[0] = 4.5  # further out than a standard normal is drawn
    z = 0.1 * epsilon + 3
    probe = circles() if d == 2 else np.linspace(-3, 3, 99)[:, None]
    followed = {1: ["x"], 2: ["x", "y"]}.get(d, ["y"])
    drawn = (
        (start_diagram.noise(epsilon, probe), epsilon, "this ε" if d < 3 else "ε"),
        (
            latent(z, 0.1 * probe + 3, np.zeros(len(probe)), np.full(d, 3), np.full(d, 0.1)),
            z,
            "this z" if d < 3 else "z",
        ),
    )
    for figure, values, name in drawn:
        shown = trace(figure, name)
        assert shown.marker.color == style.HIGHLIGHT
        at = np.concatenate([np.ravel(getattr(shown, letter)) for letter in followed])
        np.testing.assert_allclose(at, values[0])
        for letter in followed if d > 1 else ():
            low, high = axis_range(figure, f"{letter}axis")
            assert np.all((low < getattr(shown, letter)) & (getattr(shown, letter) < high))


def test_in_the_plane_the_circles_of_the_noise_become_the_ellipses_of_q() -> None:
    z = circles() @ SCALE.T + MEAN
    figure = latent(z[:5], z, np.zeros(len(z)), MEAN, np.ones(2))
    rings = [
        t for t in traces(figure) if t.name == "|ε| = 1" and t.line.color == style.LOG_Q.colour
    ]
    points = np.stack([rings[0].x, rings[0].y], -1)
    radius = np.linalg.norm(np.linalg.solve(SCALE, (points - MEAN).T), axis=0)
    np.testing.assert_allclose(radius, 1)
    x, y = axis_range(figure, "xaxis"), axis_range(figure, "yaxis")
    assert x[1] - x[0] == pytest.approx(y[1] - y[0])  # or circles would not look round
    assert spec(figure)["layout"]["yaxis"]["scaleanchor"] == "x"


def test_only_a_small_q_gets_a_map_of_where_in_the_prior_it_is() -> None:
    def names(scale: float) -> list[str]:
        z = scale * circles() + MEAN
        return [t.name for t in traces(latent(z[:5], z, np.zeros(len(z)), MEAN, MEAN))]

    assert "q(z|x) in the prior" in names(0.1)
    assert "q(z|x) in the prior" not in names(1)


@pytest.mark.parametrize("correlation", [-0.9, 0.9])
def test_the_map_keeps_out_of_the_way_of_q(correlation: float) -> None:
    scale = 0.1 * np.linalg.cholesky([[1, correlation], [correlation, 1]])
    z = circles() @ scale.T
    figure = latent(z[:5], z, np.zeros(len(z)), MEAN, MEAN)
    spot = trace(figure, "q(z|x) in the prior")
    corner = np.array([np.mean(spot.x), np.mean(spot.y)])
    distance = np.linalg.norm(np.linalg.solve(scale, corner))
    assert distance > 3


def test_the_density_over_a_line_is_normalised_and_drawn_in_order() -> None:
    epsilon = np.linspace(-5, 5, 401)[::-1, None]  # a flow may turn the line round
    z = 0.3 * epsilon + 1
    log_q = -0.5 * (epsilon[:, 0] ** 2 + np.log(2 * np.pi)) - np.log(0.3)
    curve = trace(latent(z[:3], z, log_q, np.ones(1), np.ones(1)), "q(z|x)")
    assert np.all(np.diff(curve.x) > 0)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(1, abs=1e-4)


def test_many_dimensions_show_mean_and_spread_of_each_over_the_prior() -> None:
    mean, sd = RNG.normal(size=8), RNG.uniform(0.1, 1, size=8)
    figure = latent(RNG.normal(size=(4, 8)), np.zeros((0, 8)), np.zeros(0), mean, sd)
    spread = trace(figure, "q(z|x)")
    np.testing.assert_allclose(spread.y, mean)
    np.testing.assert_allclose(spread.error_y.array, sd)
    (band,) = spec(figure)["layout"]["shapes"]
    assert (band["y0"], band["y1"]) == (-1, 1)


def test_of_fifty_dimensions_the_most_active_are_shown_above_the_kl_of_all() -> None:
    mean, sd, z = np.zeros(50), np.ones(50), RNG.normal(size=(4, 50))
    mean[[7, 30]], sd[[7, 30]] = [2.5, -1.0], [0.1, 0.2]
    figure = latent(z, np.zeros((0, 50)), np.zeros(0), mean, sd)
    spread = trace(figure, "q(z|x)")
    assert len(spread.y) == start_dimensions.MOST
    assert list(spread.customdata[:2, 1]) == [8, 31]  # counted from 1, the most active first
    np.testing.assert_allclose(trace(figure, "z").y[:2], z[0, [7, 30]])
    bars = trace(figure, "KL")
    assert len(bars.y) == 50
    assert np.all(np.diff(bars.y) <= 0)
    both = [torch.distributions.Normal(*q) for q in ((2.5, 0.1), (0.0, 1.0))]
    exact = float(torch.distributions.kl_divergence(*both))
    assert bars.y[0] == pytest.approx(exact, abs=1e-4)
    noise = trace(start_diagram.noise(z, np.zeros((0, 50)), [7, 30]), "ε")
    np.testing.assert_allclose(noise.y, z[0, [7, 30]])


def test_a_shifted_prior_is_drawn_where_it_is() -> None:
    line = np.linspace(-10, 14, 801)[:, None]
    one = np.ones(1)
    curve = trace(latent(line[:3], line, np.zeros(len(line)), one, one, 2.0, 1.5), "p(z)")
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(1, abs=1e-4)
    assert np.trapezoid(curve.x * curve.y, curve.x) == pytest.approx(2, abs=1e-3)

    plane = latent(circles()[:5], circles(), np.zeros(99), MEAN, MEAN, 2.0, 1.5)
    rings = [t for t in traces(plane) if t.line.color == style.LOG_PRIOR.colour]
    for radius, ring in zip((1, 2), rings, strict=False):
        away = np.hypot(np.array(ring.x) - 2, np.array(ring.y) - 2)
        np.testing.assert_allclose(away, 1.5 * radius)

    many = latent(np.zeros((4, 5)), np.zeros((0, 5)), np.zeros(0), np.zeros(5), np.ones(5), 2, 1.5)
    (band,) = spec(many)["layout"]["shapes"]
    assert (band["y0"], band["y1"]) == (0.5, 3.5)


def test_the_map_shows_where_q_lies_in_a_shifted_prior() -> None:
    z = 0.1 * circles() + 2  # at the mean of the prior
    figure = latent(z[:5], z, np.zeros(len(z)), MEAN, MEAN, 2.0, 1.5)
    spot = trace(figure, "q(z|x) in the prior")
    ring = [t for t in traces(figure) if t.line.color == style.LOG_PRIOR.colour][-1]
    for letter in "xy":
        assert np.mean(spot[letter][:-1]) == pytest.approx(np.mean(ring[letter][:-1]))


def test_dimensions_with_different_priors_have_a_band_each() -> None:
    prior = Prior(np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.5, 2.0]))
    empty = np.zeros(0)
    figure = start_diagram.latent(
        np.zeros((1, 3)), np.zeros((0, 3)), empty, np.zeros(3), np.ones(3), prior, empty
    )
    bands = spec(figure)["layout"]["shapes"]
    assert [(b["x0"], b["x1"]) for b in bands] == [(0.5, 1.5), (1.5, 2.5), (2.5, 3.5)]
    assert [(b["y0"], b["y1"]) for b in bands] == [(-1, 1), (0.5, 1.5), (-4, 0)]


def test_the_gaussian_is_shown_by_sigma_or_by_the_lower_triangle() -> None:
    scale = np.tril(RNG.normal(size=(5, 5)))
    heat = trace(start_dimensions.gaussian(np.zeros(5), scale, False, range(5)), "C")
    above = np.triu_indices(5, 1)
    assert np.isnan(np.asarray(heat.z)[above]).all()
    np.testing.assert_allclose(np.nan_to_num(heat.z), scale)
    bars = trace(start_dimensions.gaussian(np.zeros(5), scale, True, [4, 0]), "σ")
    np.testing.assert_allclose(bars.y, np.diag(scale)[[4, 0]])


@pytest.mark.parametrize("steps", [1, 4, 5, 64])
def test_the_flow_in_the_plane_accounts_for_every_log_determinant(steps: int) -> None:
    dets = RNG.normal(size=steps)
    probe = np.stack([(1 + t) * circles() for t in range(steps + 1)])
    figure = start_diagram.flow(dets, probe, RNG.normal(size=(steps + 1, 2)))
    labels = [a["text"].replace("−", "-") for a in spec(figure)["layout"]["annotations"]]
    assert len(labels) == min(6, steps + 1)
    assert labels[0] == "z₀"
    assert labels[-1].startswith("z" + str(steps).translate(start_diagram._SUBSCRIPTS))
    gained = sum(float(text.partition("&nbsp;")[2]) for text in labels[1:])
    assert gained == pytest.approx(dets.sum(), abs=0.005 * len(labels))


@pytest.mark.parametrize("d", [1, 16])
def test_the_flow_beyond_the_plane_has_a_bar_for_every_step(d: int) -> None:
    dets = RNG.normal(size=7)
    (bars,) = traces(start_diagram.flow(dets, np.zeros((8, 0, d)), np.zeros((8, d))))
    np.testing.assert_allclose(bars.y, dets)
    assert list(bars.x) == list(range(1, 8))


def elbo_figure(**changes: Any) -> go.Figure:
    given: dict[str, Any] = {
        "log_w": np.array([-90.0, -95.0, -200.0, -50.0]),
        "forms": [("ELBO (3)", -93.0, 2.0), ("ELBO (4)", -92.0, 1.5)],
        "log_px": (-89.0, 0.25),
        "limits": (-100.0, -80.0),
        "importance_samples": 1000,
    }
    return start_estimates.estimates(**given | changes)


def test_an_estimate_has_its_standard_error_as_its_interval() -> None:
    for name, mean, se in (("ELBO (3)", -93.0, 2.0), ("ELBO (4)", -92.0, 1.5)):
        row = trace(elbo_figure(), name)
        assert (row.x[0], row.error_x.array[0], row.error_x.visible) == (mean, se, True)
        assert row.marker.symbol == "circle"


def test_one_draw_has_no_interval_and_an_open_mark() -> None:
    figure = elbo_figure(log_w=np.array([-90.0]), forms=[("ELBO (3)", -90.0, float("nan"))])
    row = trace(figure, "ELBO (3)")
    assert row.marker.symbol == "circle-open"
    assert not row.error_x.visible
    assert "±" not in row.hovertemplate


def test_draws_beyond_the_scale_are_arrows_at_its_ends_and_keep_their_values() -> None:
    others = trace(elbo_figure(), "another ε")
    assert list(others.x) == [-95, -100, -80]
    assert list(others.marker.symbol) == ["circle", "triangle-left", "triangle-right"]
    assert list(others.customdata) == [-95, -200, -50]
    assert list(trace(elbo_figure(), "this ε").customdata) == [-90]


def test_log_px_is_a_line_with_its_error_as_a_band() -> None:
    layout = spec(elbo_figure())["layout"]
    band, line, gap = layout["shapes"]
    assert (band["x0"], band["x1"]) == (-89.25, -88.75)
    assert line["x0"] == line["x1"] == -89
    assert (gap["x0"], gap["x1"]) == (-93, -89)
    assert "−89.0 ± 0.2" in layout["annotations"][0]["text"]
    assert "L = 4" in layout["title"]["text"]
    assert "K = 1,000" in layout["title"]["text"]


def test_the_parts_of_the_split_bar_add_up_to_log_px() -> None:
    expected, kl, gap = traces(start_estimates.split(-20.0, 5.0, -24.5))
    assert (expected.base[0], expected.x[0]) == (0, -20)
    assert (kl.base[0], kl.x[0]) == (-20, -5)
    assert (gap.base[0], gap.x[0]) == (-25, 0.5)
    assert expected.x[0] + kl.x[0] + gap.x[0] == -24.5
    assert "KL(q(z|x) ‖ p(z|x))" in gap.name

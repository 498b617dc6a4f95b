"""What the plots of the Posterior lab show, read back from the figures."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from app.figures import posterior_plane, posterior_values, style
from app.figures.posterior_plane import Curve, Ground, Layer
from app.figures.posterior_values import GapBar, IwaeCurve, Mark, Sample

X, Y = np.linspace(-3, 3, 61), np.linspace(-2, 2, 41)
BELL = np.exp(-0.5 * (X[:, None] ** 2 + 4 * (Y[None] + 1) ** 2))
GROUND = Ground(X, Y, BELL, [0.5])
CIRCLE = np.stack([np.cos(np.linspace(0, 6.3, 50)), np.sin(np.linspace(0, 6.3, 50))], -1)
BLUE, RED = "#0000FF", "#FF0000"


def traces(figure: go.Figure) -> list[Any]:
    return list(figure.data)  # type: ignore[arg-type]


def layout(figure: go.Figure) -> Any:
    return figure.layout


def test_the_true_posterior_stands_where_it_is() -> None:
    heat, *_ = traces(posterior_plane.plane_figure(GROUND, []))
    row, column = np.unravel_index(np.argmax(heat.z), heat.z.shape)
    assert heat.x0 + column * heat.dx == pytest.approx(0, abs=0.05)
    assert heat.y0 + row * heat.dy == pytest.approx(-1, abs=0.05)
    assert heat.z.max() == 255


def test_both_axes_have_one_scale_and_show_everything_that_matters() -> None:
    far = 5 + CIRCLE
    figure = posterior_plane.plane_figure(GROUND, [Layer("q", BLUE, [far])])
    axes = layout(figure)
    assert axes.yaxis.scaleanchor == "x"
    for axis, values in ((axes.xaxis, far[:, 0]), (axes.yaxis, far[:, 1])):
        assert axis.range[0] < -0.9
        assert axis.range[1] > values.max()


def test_a_family_has_one_colour_and_one_entry_in_the_legend() -> None:
    layers = [Layer("A", BLUE, [CIRCLE, 2 * CIRCLE]), Layer("B", RED, [CIRCLE], CIRCLE)]
    shown = traces(posterior_plane.plane_figure(GROUND, layers))
    lines = [t for t in shown if t.type == "scatter" and t.mode == "lines"]
    assert [t.line.color for t in lines] == [BLUE, BLUE, RED]
    assert [t.name for t in lines if t.showlegend] == ["A", "B"]
    (dots,) = [t for t in shown if t.type == "scatter" and t.mode == "markers"]
    assert dots.marker.color == RED
    assert dots.showlegend is False


def test_draws_stand_in_where_no_grid_is_known() -> None:
    figure = posterior_plane.plane_figure(None, [], true_draws=CIRCLE, true_z=np.array([0.5, -0.5]))
    dots, cross = traces(figure)
    assert len(dots.x) == len(CIRCLE)
    assert (cross.x[0], cross.y[0]) == (0.5, -0.5)


def test_a_line_shows_the_truth_as_an_area_and_each_family_over_it() -> None:
    z = np.linspace(-4, 4, 200)
    bell = np.exp(-0.5 * z**2)
    figure = posterior_plane.line_figure(z, bell, [Curve("A", BLUE, z + 1, bell)], true_z=0.3)
    area, curve, cross = traces(figure)
    assert area.fill == "tozeroy"
    assert curve.line.color == BLUE
    assert cross.x[0] == 0.3


def test_a_step_is_stressed_among_the_bars() -> None:
    dets = np.array([[1.0, 3.0], [-1.0, -1.0]])
    (bars,) = traces(posterior_plane.flow_bars(dets, 2, BLUE))
    assert list(bars.y) == [2, -1]
    assert bars.marker.color[1] == BLUE != bars.marker.color[0]
    assert list(bars.error_y.array) == [1, 0]


def test_a_stage_is_coloured_by_what_its_step_did() -> None:
    dets = np.linspace(-1, 1, len(CIRCLE))
    ground = posterior_plane.window_of(GROUND, [])
    stage = posterior_plane.flow_points(CIRCLE, dets, [CIRCLE], BLUE)
    figure = posterior_plane.flow_figure(GROUND, stage, ground, title="z₁", titles=("z₁", "z₂"))
    dots = next(t for t in traces(figure) if t.type == "scatter" and t.mode == "markers")
    np.testing.assert_allclose(dots.marker.color, dets, rtol=1e-6)
    base = posterior_plane.flow_points(CIRCLE, None, [], BLUE)
    assert base[0]["marker"]["color"] == BLUE


def test_a_bound_points_to_where_log_px_is() -> None:
    marks = [
        Mark("ELBO", BLUE, -10.0, 0.1, "lower"),
        Mark("BDMC", RED, -8.0, 0.2, "upper"),
        Mark("exact", RED, -9.0, 0.0, "exact"),
    ]
    figure = posterior_values.bounds_figure(marks, -9.0)
    symbols = [t.marker.symbol for t in traces(figure)]
    assert symbols == ["triangle-right", "triangle-left", "diamond"]
    assert [t.x[0] for t in traces(figure)] == [-10, -8, -9]
    assert [t.error_x.array[0] for t in traces(figure)] == [0.2, 0.4, 0]
    assert layout(figure).shapes[0].x0 == -9
    low, high = layout(figure).xaxis.range
    assert low < -10.2
    assert high > -7.6


def test_the_line_at_log_px_crosses_no_text_of_the_ruler() -> None:
    marks = [Mark(str(i), BLUE, -9.0 - i, 0.1, "estimate") for i in range(4)]
    figure = posterior_values.bounds_figure(marks, -9.0)
    parts = [(shape.y0, shape.y1) for shape in layout(figure).shapes]
    texts = [(row + 0.2, row + 0.65) for row in range(len(marks))]  # above the marks
    assert all(end <= low or start >= high for start, end in parts for low, high in texts)
    assert all(any(start < row < end for start, end in parts) for row in range(len(marks)))


def test_the_iwae_curve_has_a_band_of_two_errors_and_meets_the_exact_value() -> None:
    counts = np.array([1.0, 10.0, 100.0])
    bounds, errors = np.array([-12.0, -11.0, -10.5]), np.array([0.1, 0.2, 0.3])
    curve = IwaeCurve("A", BLUE, counts, bounds, errors)
    figure = posterior_values.iwae_figure([curve], (-10.4, 1e-4))
    band, line, exact = traces(figure)
    assert max(band.y) == pytest.approx(-9.9)
    assert min(band.y) == pytest.approx(-12.2)
    assert list(line.y) == list(bounds)
    assert set(exact.y) == {-10.4}
    assert exact.line.color == style.LOG_PX.colour
    assert layout(figure).xaxis.type == "log"
    wide = posterior_values.iwae_figure([curve], (-10.4, 1e-4), (-100.0, 50.0))
    assert layout(wide).yaxis.range[0] > -20, "a wide sandwich does not flatten the curves"


def test_the_gap_is_stacked_in_the_colour_of_the_family() -> None:
    bars = [GapBar("A", BLUE, 0.5, 0.01, 0.2, 0.02), GapBar("B", RED, 0.1, 0.01, 0.4, 0.02)]
    figure = posterior_values.gap_figure(bars)
    assert layout(figure).barmode == "relative"
    approximation, _, amortisation, _ = traces(figure)
    assert list(approximation.x) == [0.5, 0.1]
    assert list(amortisation.x) == [0.2, 0.4]
    assert list(approximation.marker.color) == [BLUE, RED]
    assert list(amortisation.error_x.array) == [0.04, 0.04]


def test_the_histogram_of_log_w_holds_nearly_all_draws() -> None:
    log_w = np.random.default_rng(0).normal(-20, 1, 5000)
    figure = posterior_values.weights_figure([Sample("A", BLUE, log_w, -20.0, -19.5)])
    (line,) = traces(figure)
    assert sum(line.y) == pytest.approx(100, abs=1)
    assert [s.x0 for s in layout(figure).shapes] == [-20, -19.5]


def test_the_largest_weights_hold_the_most() -> None:
    weights = np.array([0.7, 0.2, 0.05, 0.05])
    held, even = traces(posterior_values.concentration_figure([("A", BLUE, weights)]))
    assert list(held.x) == [25, 50, 75, 100]
    np.testing.assert_allclose(held.y, [70, 90, 95, 100])
    np.testing.assert_allclose(even.x, even.y)


def test_a_value_whose_error_is_not_known_says_so_and_has_no_line() -> None:
    marks = [Mark("IS", BLUE, -10.0, np.nan, "estimate"), Mark("ELBO", RED, -12.0, 0.1, "lower")]
    figure = posterior_values.bounds_figure(marks, None)
    first = traces(figure)[0]
    assert list(first.text) == ["−10.00 (error not known)"]
    assert list(first.error_x.array) == [0]
    layout: Any = figure.layout
    assert all(np.isfinite(layout.xaxis.range))

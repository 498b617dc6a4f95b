"""What the plots of gradient noise show, read back from the figures."""

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from app.figures import gradients
from app.figures.gradients import LOOKS, Curve

GRID = [1, 2, 4, 8]
LOUD = Curve("score-function", GRID, [800.0, 400, 200, 100], [80.0, 40, 20, 10])
QUIET = Curve("pathwise", GRID, [8.0, 4, 2, 1], [0.8, 0.4, 0.2, math.nan])


def samples_figure(*curves: Curve, **more: Any) -> go.Figure:
    return gradients.samples_figure(
        curves, GRID, "Variance", "nats²", slope=(-1.0, "∝ 1/L"), **more
    )


def traces(figure: go.Figure) -> dict[str, Any]:
    everything: Any = figure.data
    return {trace.name: trace for trace in everything}


def test_each_estimator_has_its_colour_symbol_and_errors() -> None:
    shown = traces(samples_figure(LOUD, QUIET))
    for curve in (LOUD, QUIET):
        look = LOOKS[curve.name]
        trace = shown[look.label]
        assert (trace.line.color, trace.marker.symbol) == (look.colour, look.symbol)
        assert list(trace.y) == list(curve.values)
    assert list(shown["score function"].error_y.array) == list(LOUD.errors)
    assert shown["pathwise"].error_y.array[-1] == 0  # not known yet
    assert len({look.symbol for look in LOOKS.values()}) == len(LOOKS)


def test_both_axes_are_logarithmic_and_hold_every_point() -> None:
    layout: Any = samples_figure(LOUD, QUIET).layout
    assert layout.xaxis.type == layout.yaxis.type == "log"
    low, high = layout.yaxis.range
    assert low < math.log10(1) < math.log10(800) < high


@pytest.mark.parametrize("slope", [-1.0, 0.5, 1.0])
def test_the_reference_lines_have_the_slope_they_are_named_for(slope: float) -> None:
    figure = gradients.samples_figure([LOUD, QUIET], GRID, "", "", slope=(slope, "reference"))
    line = traces(figure)["reference"]
    assert len(line.x) >= 6
    for start in range(0, len(line.x), 3):
        (x0, x1), (y0, y1) = line.x[start : start + 2], line.y[start : start + 2]
        assert math.log(y1 / y0) / math.log(x1 / x0) == pytest.approx(slope)


def test_a_level_is_named_in_the_legend_where_no_line_crosses_its_name() -> None:
    level = traces(samples_figure(LOUD, QUIET, level=(10.0, "signal = noise")))["signal = noise"]
    assert list(level.y) == [10.0, 10.0]
    assert level.text is None
    assert level.showlegend is not False


def test_a_point_without_noise_is_left_out_of_a_logarithmic_plot() -> None:
    figure = samples_figure(LOUD, Curve("sticking-the-landing", GRID, [0.0] * 4, [0.0] * 4))
    assert set(traces(figure)["sticking the landing"].y) == {None}


def test_nothing_measured_is_an_empty_plot() -> None:
    assert len(traces(samples_figure())) == 1
    assert len(traces(gradients.coordinate_figure({}, 1, 8))) == 0
    assert gradients.cost_figure([], [], GRID) is not None


def test_time_stands_above_and_effort_below_with_one_legend() -> None:
    figure = gradients.cost_figure([LOUD, QUIET], [LOUD, QUIET], GRID, chosen=4)
    everything: Any = figure.data
    lower = [trace for trace in everything if trace.yaxis == "y2"]
    assert len(lower) == 2
    assert not any(trace.showlegend for trace in lower)
    layout: Any = figure.layout
    assert layout.yaxis2.domain[1] < layout.yaxis.domain[0]
    assert layout.shapes[0].x0 == 4


def test_a_row_holds_all_estimates_and_its_mean() -> None:
    draws = {
        "pathwise": np.random.default_rng(0).normal(3.0, 1.0, 400),
        "score-function": np.random.default_rng(1).normal(3.0, 30.0, 400),
    }
    wide = gradients.coordinate_figure(draws, 1, 8)
    shown = traces(wide)
    for name, each in draws.items():
        ridge, mean = shown[LOOKS[name].label], shown[f"{LOOKS[name].label}, mean"]
        assert (min(ridge.x), max(ridge.x)) == (each.min(), each.max())
        assert mean.x[0] == each.mean()
        assert mean.error_x.array[0] == pytest.approx(2 * each.std(ddof=1) / 20)
    assert shown["mean of all"].x[0] == pytest.approx(3, abs=0.2)
    narrow = gradients.coordinate_figure(draws, 1, 8, wide=False)

    def width(figure: go.Figure) -> float:
        layout: Any = figure.layout
        return layout.xaxis.range[1] - layout.xaxis.range[0]

    assert width(narrow) == pytest.approx(10, rel=0.2)
    assert width(wide) > 10 * width(narrow)


def test_the_common_mean_trusts_the_quieter_estimator() -> None:
    quiet = np.random.default_rng(0).normal(1.0, 0.1, 100)
    loud = np.random.default_rng(1).normal(50.0, 100.0, 100)
    assert gradients.pooled_mean([quiet, loud]) == pytest.approx(quiet.mean(), abs=0.01)


def test_an_estimator_that_never_varies_is_a_line_and_one_without_numbers_is_left_out() -> None:
    draws = {
        "pathwise": np.random.default_rng(0).normal(0.0, 1.0, 50),
        "sticking-the-landing": np.full(50, 1e-14),
        "dreg": np.full(50, np.nan),
    }
    shown = traces(gradients.coordinate_figure(draws, 1, 8, wide=False))
    assert np.ptp(shown["sticking the landing"].x) == 0
    assert "DReG" not in shown

"""What the plots of scores show, read back from the figures."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from app.figures import score, style

HELD_OUT = np.random.default_rng(0).normal(-90, 10, 1000)


def traces(figure: go.Figure) -> dict[str, Any]:
    everything: Any = figure.data
    return {trace.name or trace.type: trace for trace in everything}


def held_out(log_px: list[float], chosen: int | None = None) -> go.Figure:
    labels = [f"image {i}" for i in range(len(log_px))]
    return score.held_out_figure(HELD_OUT, 200, labels, log_px, chosen)


def test_the_bars_hold_every_held_out_image() -> None:
    bars = traces(held_out([-90.0]))["1,000 held-out images"]
    assert sum(bars.y) == 1000
    assert 12 <= len(bars.y) <= 40


def test_the_coloured_bars_are_those_that_the_percentile_counts() -> None:
    bars = traces(held_out([-80.0], chosen=0))["1,000 held-out images"]
    coloured = sum(
        count
        for count, colour in zip(bars.y, bars.marker.color, strict=True)
        if colour == style.LOG_PX.colour
    )
    assert coloured == pytest.approx((HELD_OUT < -80).sum(), abs=max(bars.y) / 2)
    plain = traces(held_out([-80.0]))["1,000 held-out images"]
    assert style.LOG_PX.colour not in plain.marker.color


def test_an_image_stands_at_its_score_and_beyond_the_axis_is_an_arrow() -> None:
    figure = held_out([-95.0, -9000.0, 5000.0], chosen=0)
    layout: Any = figure.layout
    low, high = layout.xaxis.range
    marks = traces(figure)["Your images"]
    shown = {data[0]: (x, symbol) for x, symbol, data in zip(
        marks.x, marks.marker.symbol, marks.customdata, strict=True
    )}  # fmt: skip
    assert shown["image 0"] == (-95.0, "diamond")
    assert shown["image 1"][1] == "triangle-left"
    assert shown["image 2"][1] == "triangle-right"
    assert all(low < x < high for x, _ in shown.values())
    assert HELD_OUT.min() > low
    assert HELD_OUT.max() < high
    names = {data[0]: data[1] for data in marks.customdata}
    assert names["image 1"] == "−9,000 nats", "the true score can be read all the same"


def test_the_chosen_image_is_stressed_and_drawn_last() -> None:
    figure = held_out([-95.0, -85.0], chosen=0)
    marks = traces(figure)["Your images"]
    assert marks.customdata[-1][0] == "image 0"
    assert list(marks.marker.color) == [style.LOG_PX.colour, style.HIGHLIGHT]
    line = traces(figure)["image 0"]
    assert list(line.x) == [-95.0, -95.0]
    assert line.text[1].strip() == "−95.00 nats"


@pytest.mark.parametrize("values", [np.full(300, -20.0), np.array([-3.0])])
def test_held_out_images_of_one_score_are_drawn_too(values: np.ndarray) -> None:
    figure = score.held_out_figure(values, 10, ["a"], [-20.0], 0)
    assert sum(traces(figure)[f"{len(values)} held-out images"].y) == len(values)


def test_no_images_leave_the_held_out_ones() -> None:
    assert len(traces(held_out([]))["Your images"].x) == 0


def test_the_course_is_drawn_with_its_band_and_the_elbo() -> None:
    figure = score.convergence_figure([10, 100, 1000], [-9.0, -8.5, -8.4], [0.5, 0.2, 0.1], -10)
    shown = traces(figure)
    assert list(shown["log p̂(x) so far"].y) == [-9.0, -8.5, -8.4]
    band = shown["± 1 standard error"]
    assert max(band.y) == pytest.approx(-8.3)
    assert min(band.y) == pytest.approx(-9.5)
    assert list(shown["ELBO of the encoder"].y) == [-10, -10]
    layout: Any = figure.layout
    assert layout.xaxis.type == "log"
    assert layout.xaxis.range == (1.0, 3.0)


def test_a_course_of_one_stop_is_drawn() -> None:
    figure = score.convergence_figure([1], [-9.0], [0.0], -9.0)
    layout: Any = figure.layout
    low, high = layout.xaxis.range
    assert low < high


def test_the_pixel_map_runs_from_the_worst_pixel_to_nothing() -> None:
    values = np.array([[0.0, -0.5], [-2.5, -0.1]])
    heatmap = traces(score.pixel_figure(values))["heatmap"]
    assert (heatmap.zmin, heatmap.zmax) == (-2.5, 0)
    np.testing.assert_array_equal(heatmap.z, values)
    colours = [colour for _, colour in heatmap.colorscale]
    assert colours[-1] == style.INK[0], "what is expected is as dark as an empty pixel"


def test_a_map_without_surprise_has_a_scale() -> None:
    heatmap = traces(score.pixel_figure(np.zeros((2, 2))))["heatmap"]
    assert heatmap.zmin < heatmap.zmax


def test_where_the_error_is_not_known_the_course_has_no_band_and_says_so() -> None:
    figure = score.convergence_figure([10, 100, 1000], [-9, -8.5, -8.4], [np.nan, 0.2, 0.1], -10)
    shown = traces(figure)
    assert list(shown["± 1 standard error"].x) == [100, 1000, 1000, 100]
    assert list(shown["log p̂(x) so far"].customdata) == ["not known", "0.20", "0.10"]

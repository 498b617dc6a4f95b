"""What the plots of scores show, read back from the figures."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from app.figures import score, style

HELD_OUT = np.exp(np.random.default_rng(0).gamma(2, 0.3, 1000))


def traces(figure: go.Figure) -> dict[str, Any]:
    everything: Any = figure.data
    return {trace.name or trace.type: trace for trace in everything}


def unusual(values: list[float], chosen: int | None = None, limit: float | None = 4.0) -> go.Figure:
    labels = [f"image {i}" for i in range(len(values))]
    verdicts = ["typical" if value < 4 else "unlike the training data" for value in values]
    return score.unusual_figure(HELD_OUT, labels, values, verdicts, limit, chosen, line="α = 4 %")


def test_the_bars_hold_every_held_out_image() -> None:
    bars = traces(unusual([1.5]))["1,000 held-out images"]
    assert sum(bars.y) == 1000
    assert 12 <= len(bars.y) <= 40


def test_the_coloured_bars_are_the_images_that_are_stranger() -> None:
    bars = traces(unusual([2.0], chosen=0))["1,000 held-out images"]
    coloured = sum(
        count
        for count, colour in zip(bars.y, bars.marker.color, strict=True)
        if colour == style.LOG_PX.colour
    )
    assert coloured == pytest.approx((HELD_OUT > 2).sum(), abs=max(bars.y) / 2)
    plain = traces(unusual([2.0]))["1,000 held-out images"]
    assert style.LOG_PX.colour not in plain.marker.color


def test_the_line_stands_at_the_limit_and_is_left_out_without_one() -> None:
    line = traces(unusual([1.5]))["alpha"]
    assert list(line.x) == pytest.approx([np.log10(4)] * 2)
    assert line.text[1].strip() == "α = 4 %"
    assert "alpha" not in traces(unusual([1.5], limit=None))


def test_an_image_stands_at_its_value_in_the_colour_of_its_verdict() -> None:
    figure = unusual([31.0, 1.2], chosen=0)
    layout: Any = figure.layout
    low, high = layout.xaxis.range
    marks = traces(figure)["Your images"]
    assert list(marks.x) == pytest.approx([np.log10(1.2), np.log10(31)])
    assert all(low < x < high for x in marks.x), "√(N + 1) is the most that a value can be"
    colours = score.VERDICT_COLOURS
    wanted = [colours["typical"], colours["unlike the training data"]]
    assert list(marks.marker.color) == wanted


def test_the_chosen_image_is_stressed_and_drawn_last() -> None:
    figure = unusual([1.5, 2.5], chosen=0)
    marks = traces(figure)["Your images"]
    assert marks.customdata[-1][0] == "image 0"
    assert marks.marker.size[-1] > marks.marker.size[0]
    assert list(traces(figure)["image 0"].x) == pytest.approx([np.log10(1.5)] * 2)


def test_no_images_leave_the_held_out_ones() -> None:
    assert len(traces(unusual([]))["Your images"].x) == 0


def test_held_out_images_of_one_value_are_drawn_too() -> None:
    figure = score.unusual_figure(np.ones(300), ["a"], [1.0], ["typical"], None, 0)
    assert sum(traces(figure)["300 held-out images"].y) == 300


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

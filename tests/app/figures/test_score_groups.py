"""What the plots of good and bad images show, read back from the figures."""

from typing import Any

import numpy as np
import pytest

from app.figures import score_groups
from app.figures.score_groups import Point, Roc

CURVE = Roc("plain", np.array([0.0, 0.1, 1.0]), np.array([0.0, 0.8, 1.0]), "#123456")


def test_the_roc_has_every_curve_and_the_chosen_point_with_its_intervals() -> None:
    figure = score_groups.roc_figure([CURVE], Point(0.1, 0.05, 0.2), Point(0.8, 0.7, 0.9))
    traces: Any = figure.data
    chance, curve, chosen = traces
    assert (list(chance.x), list(chance.y)) == ([0, 100], [0, 100])
    np.testing.assert_allclose(curve.x, [0, 10, 100])
    np.testing.assert_allclose(curve.y, [0, 80, 100])
    assert (chosen.x[0], chosen.y[0]) == (10, 80)
    np.testing.assert_allclose([chosen.error_x.array[0], chosen.error_x.arrayminus[0]], [10, 5])
    np.testing.assert_allclose([chosen.error_y.array[0], chosen.error_y.arrayminus[0]], [10, 10])


def test_a_curve_of_very_many_images_keeps_both_ends() -> None:
    share = np.linspace(0, 1, 20_001)
    long = Roc("plain", share, share**0.5)
    traces: Any = score_groups.roc_figure([long], Point(0, 0, 1), Point(0, 0, 1)).data
    assert len(traces[1].x) == 1000
    assert (traces[1].x[0], traces[1].x[-1]) == (0, 100)


def test_histograms_are_shares_of_each_group() -> None:
    good, bad = np.array([1.0, 1.1, 2.0, np.nan]), np.array([5.0, 6.0])
    traces: Any = score_groups.groups_figure(good, bad, "log p̂(x)", "nats").data
    assert [trace.name for trace in traces] == ["3 good images", "2 bad images"]
    for trace in traces:
        assert sum(trace.y) == pytest.approx(100)


def test_p_values_have_a_logarithmic_axis_with_the_rate_on_it() -> None:
    good, bad = np.array([0.5, 1.0]), np.array([0.002, 0.01])
    figure = score_groups.p_values_figure(good, bad, 0.04)
    traces: Any = figure.data
    assert traces[-1].x[0] == pytest.approx(np.log10(0.04))
    axis: Any = figure.layout
    assert list(axis.xaxis.ticktext) == ["0.001", "0.01", "0.1", "1"]


def test_groups_of_equal_values_can_be_drawn() -> None:
    same = np.full(5, 1.0)
    traces: Any = score_groups.p_values_figure(same, same, 0.04).data
    assert sum(traces[0].y) == pytest.approx(100)

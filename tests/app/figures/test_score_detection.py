"""What the plots of the scorer's evaluation show, read back from the figures."""

from typing import Any

import numpy as np
import pytest

from app.figures import score_detection, style
from app.figures.score_detection import Metric
from vae_core.scoring.detection import SCORES
from vae_core.scoring.foreign import KINDS
from vae_core.wording.detection import SCORE_NAMES, kind_name

AUROC, FPR = Metric("AUROC", 0.5, 1), Metric("FPR", 0.95, 0)
VALUES = np.array([[0.1, 0.9, 1.0], [0.5, 0.8, 0.75]])
NAMES = ["black pages", "shirts"], ["raw log p(x)", "two-sided log p(x)", "all together"]


def heatmap(metric: Metric, se: np.ndarray | None = None) -> Any:
    (trace,) = score_detection.separation_figure(VALUES, *NAMES, metric, se).data
    return trace


def test_every_score_has_a_name_and_so_has_every_kind() -> None:
    assert tuple(SCORE_NAMES) == SCORES
    assert all(kind_name(kind) != kind for kind in (*KINDS, "digits") if kind not in _PLAIN)
    assert kind_name("my/folder") == "my/folder"


_PLAIN = ("stripes", "scribbles", "shirts")


def test_the_map_shows_every_value_the_first_kind_on_top() -> None:
    trace = heatmap(AUROC)
    np.testing.assert_array_equal(trace.z, VALUES)
    assert list(trace.y) == ["Black pages", "Shirts"]
    assert list(trace.x) == ["raw<br>log p(x)", "two-sided<br>log p(x)", "all<br>together"]
    layout: Any = score_detection.separation_figure(VALUES, *NAMES, AUROC).layout
    low, high = layout.yaxis.range
    assert low > high
    assert layout.title.text == "AUROC by kind and score"


@pytest.mark.parametrize("metric", [AUROC, FPR])
def test_a_coin_is_grey_and_what_misleads_is_red_whichever_way_is_better(metric: Metric) -> None:
    trace = heatmap(metric)
    assert (trace.zmin, trace.zmax) == (0, 1)
    colours = dict(trace.colorscale)
    assert colours[metric.chance] == style.NEUTRAL
    assert colours[float(metric.best)] == style.LOG_LIKELIHOOD.colour
    assert colours[float(1 - metric.best)] == style.KL.colour


def test_pointing_at_a_cell_names_its_score_and_its_error_where_there_is_one() -> None:
    with_errors = heatmap(AUROC, np.full(VALUES.shape, 0.0125))
    assert list(with_errors.customdata[1][0]) == ["raw log p(x)", " ± 0.013"]
    assert list(heatmap(AUROC).customdata[0][2]) == ["all together", ""]


def test_false_alarms_stand_out_from_what_is_rightly_called_unlike() -> None:
    kinds = ["own test images", "black pages", "shirts"]
    figure = score_detection.called_figure(kinds, [500, 500, 300], [0.032, 1.0, 0.25], 0.04)
    bars: Any = figure.data[0]
    assert list(bars.x) == pytest.approx([3.2, 100, 25])
    assert list(bars.text) == ["3.2%, made for 4%", "100.0%", "25.0%"]
    assert list(bars.marker.color) == [style.HIGHLIGHT] + [style.LOG_PX.colour] * 2
    assert bars.customdata[2][0] == pytest.approx(2.5), "in percentage points, of 300 images"

"""Regions of a map: which points they hold, and that a link brings them back."""

from typing import Any

import numpy as np
import pytest

from app.figures import regions
from app.figures.regions import region_of_selection, region_of_text

SQUARE = {"x": [0.0, 2.0], "y": [3.0, 1.0]}
BENT = {"x": [0, 4, 4, 2, 0], "y": [0, 0, 4, 1, 4]}  # with a notch from above


def holds(selection: dict[str, Any], *points: tuple[float, float]) -> list[bool]:
    region = region_of_selection(selection)
    assert region is not None
    return region.contains(np.array(points)).tolist()


def test_a_box_holds_what_lies_between_its_corners() -> None:
    found = holds({"box": [SQUARE]}, (1, 2), (0.1, 2.9), (-0.1, 2), (1, 3.1), (2.1, 1))
    assert found == [True, True, False, False, False]


def test_a_lasso_need_not_be_convex() -> None:
    assert holds({"lasso": [BENT]}, (1, 0.5), (2, 0.9), (2, 3), (3.9, 3)) == [
        True,
        True,
        False,
        True,
    ]


def test_a_lasso_agrees_with_the_distance_to_the_middle_of_a_circle() -> None:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    points = np.random.default_rng(0).uniform(-2, 2, (500, 2))
    lasso = {"x": np.cos(angle).tolist(), "y": np.sin(angle).tolist()}
    away = np.hypot(*points.T)
    clear = np.abs(away - 1) > 0.02
    found = np.array(holds({"lasso": [lasso]}, *map(tuple, points)))
    np.testing.assert_array_equal(found[clear], away[clear] < 1)


def test_several_parts_count_together() -> None:
    assert holds({"box": [SQUARE], "lasso": [BENT]}, (1, 2.9), (3.9, 0.5), (9, 9)) == [
        True,
        True,
        False,
    ]


def test_a_link_brings_the_same_region_back() -> None:
    region = region_of_selection({"lasso": [BENT], "box": [SQUARE]})
    assert region is not None
    assert region_of_text(region.text()) == region


def test_a_long_lasso_is_shortened_for_the_address() -> None:
    angle = np.linspace(0, 2 * np.pi, 5000)
    lasso = {"x": (3 * np.cos(angle)).tolist(), "y": (3 * np.sin(angle)).tolist()}
    region = region_of_selection({"lasso": [lasso]})
    assert region is not None
    assert len(region.parts[0]) == regions.MOST_CORNERS
    assert len(region.text()) < 1000
    assert region.contains(np.array([[2.5, 0], [0, -2.5], [3.1, 0]])).tolist() == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "text", ["", "1_2_3_4", "1_2_3_4_5", "a_b_c_d_e_f", "nan_0_1_1_2_0", "inf_0_1_1_2_0", "~",
             "<script>", "0_" * 50_000, "~".join(["0_0_1_0_1_1"] * 9)],
)  # fmt: skip
def test_what_is_no_region_is_ignored(text: str) -> None:
    assert region_of_text(text) is None


@pytest.mark.parametrize(
    "selection",
    [{}, {"box": [], "lasso": []}, {"box": [{}]}, {"lasso": [{"x": 1, "y": 2}]},
     {"box": [SQUARE] * 9}, {"box": [{"x": [1], "y": [2]}]}, {"lasso": [{"x": ["a"], "y": ["b"]}]}],
)  # fmt: skip
def test_a_selection_without_a_region_is_none(selection: dict[str, Any]) -> None:
    assert region_of_selection(selection) is None

"""Directions that make an image more like a class."""

import numpy as np
import pytest

from vae_core.analysis.directions import class_direction
from vae_core.basics.errors import InvalidArgument

MEANS = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0], [9.0, 9.0]])
LABELS = np.array([0, 0, 1, 1, -1])


def test_it_leads_from_the_mean_of_one_class_to_the_mean_of_the_other() -> None:
    direction = class_direction(MEANS, LABELS, toward=1, away_from=0)
    np.testing.assert_allclose(direction.unit, [0, 1])
    assert direction.deviation == pytest.approx(2), "of 0, 0, 4 and 4"
    assert direction.apart == pytest.approx(2), "4 is two standard deviations"
    np.testing.assert_allclose(direction.move(MEANS[:2], 2), [[0, 4], [2, 4]])


def test_the_way_back_is_the_opposite() -> None:
    there, back = (class_direction(MEANS, LABELS, *pair) for pair in ((1, 0), (0, 1)))
    np.testing.assert_allclose(there.step, -back.step)


def test_the_rest_is_every_other_class_but_no_image_without_a_class() -> None:
    means = np.vstack([MEANS, [[1.0, -4.0]]])
    direction = class_direction(means, np.append(LABELS, 2), toward=1)
    np.testing.assert_allclose(direction.unit, [0, 1], atol=1e-12)
    others = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, -4.0]])
    length = 4 - others[:, 1].mean()
    assert direction.apart * direction.deviation == pytest.approx(length)


def test_moved_images_reach_the_mean_of_the_class() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    means = rng.normal(size=(300, 8)) + 2 * np.eye(3, 8)[labels]
    direction = class_direction(means, labels, toward=2, away_from=0)
    moved = direction.move(means[labels == 0], direction.apart).mean(0)
    np.testing.assert_allclose(moved, means[labels == 2].mean(0), atol=1e-12)


@pytest.mark.parametrize(
    ("means", "pair"),
    [(MEANS, (1, 1)), (MEANS, (7, None)), (MEANS, (1, 7)), (np.ones((5, 2)), (1, 0))],
    ids=["the same class", "no image", "none to compare with", "no difference"],
)
def test_a_direction_that_does_not_exist_is_refused(means: np.ndarray, pair: tuple) -> None:
    with pytest.raises(InvalidArgument):
        class_direction(means, LABELS, *pair)

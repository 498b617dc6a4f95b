"""Rates with Wilson's intervals, ROC curves, and areas with their intervals."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from vae_core.scoring.roc import Area, Rate, area, area_se, gain, roc

TIES = np.array([0.0, 1.0, 1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize(
    ("count", "images", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_has_the_published_values(count, images, low, high):
    assert Rate(count, images).between == pytest.approx((low, high), abs=5e-5)
    mirrored = Rate(images - count, images).between
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=5e-5)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.98])
def test_wilsons_interval_has_the_share_in_95_of_100_samples(share):
    drawn = np.random.RandomState(0).binomial(40, share, 4000)
    bounds = {k: Rate(k, 40).between for k in np.unique(drawn)}
    inside = np.mean([bounds[k][0] <= share <= bounds[k][1] for k in drawn])
    assert 0.92 < inside < 0.985  # counts are whole numbers, so it is not 0.95 exactly


def test_the_curve_and_its_area_are_those_of_scikit_learn():
    good, bad = TIES
    truth, scores = np.r_[np.zeros(len(good)), np.ones(len(bad))], np.r_[good, bad]
    curve = roc(good, bad)
    false_alarms, detected, _ = roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.false_alarms, false_alarms)
    np.testing.assert_allclose(curve.detected, detected)
    assert area(good, bad).value == pytest.approx(roc_auc_score(truth, scores))
    assert np.trapezoid(curve.detected, curve.false_alarms) == pytest.approx(area(good, bad).value)


def test_a_score_that_is_not_a_number_is_the_highest():
    assert area(np.array([0.0, 1.0]), np.array([math.nan])).value == 1
    assert area(np.array([0.0, math.nan]), np.array([2.0])).value == 0.5


def test_the_standard_error_of_an_area_is_exact_by_chance_and_for_exponential_scores():
    assert area_se(0.5, 30, 20) == pytest.approx(math.sqrt((30 + 20 + 1) / (12 * 30 * 20)))
    random = np.random.RandomState(0)
    good, bad = random.exponential(1, (4000, 30)), random.exponential(3, (4000, 20))
    areas = [area(*each).value for each in zip(good, bad, strict=True)]
    assert np.mean(areas) == pytest.approx(0.75, abs=0.005)
    assert np.std(areas) == pytest.approx(area_se(0.75, 30, 20), rel=0.04)


@pytest.mark.parametrize("distance", [0.0, 1.0, 3.0])
def test_the_interval_of_an_area_has_the_true_area_in_95_of_100_samples(distance):
    random, truth = np.random.RandomState(1), norm.cdf(distance / math.sqrt(2))
    inside = []
    for _ in range(600):
        low, high = area(random.randn(30), distance + random.randn(20)).between
        inside.append(low <= truth <= high)
    assert 0.925 < np.mean(inside) < 0.99


def test_the_interval_of_a_perfect_area_has_a_width():
    low, high = Area(1.0, 10, 10).between
    assert 0.5 < low < 0.9
    assert high == 1.0
    assert Area(0.0, 10, 10).between == pytest.approx((0.0, 1 - low))


def test_the_interval_is_where_the_distance_is_as_many_errors_as_it_should():
    found = Area(0.8, 40, 25)
    for bound in found.between:
        n = (40 + 25) / 2 - 1
        spread = 1 + n * (1 - bound) / (2 - bound) + n * bound / (1 + bound)
        se = math.sqrt(bound * (1 - bound) * spread / (40 * 25))
        assert abs(bound - 0.8) / se == pytest.approx(norm.ppf(0.975))


def test_the_gain_is_the_difference_of_both_areas_and_knows_that_the_images_are_the_same():
    random = np.random.RandomState(2)
    good, bad = random.randn(50), 1 + random.randn(40)
    similar = good + 0.1 * random.randn(50), bad + 0.1 * random.randn(40)
    found = gain(similar, (good, bad))
    assert found.value == pytest.approx(area(*similar).value - area(good, bad).value)
    assert found.se < area(good, bad).se / 3
    assert gain((good, bad), (good, bad)) == pytest.approx(gain((bad, good), (bad, good)))
    assert gain((good, bad), (good, bad)).se == 0


def test_the_interval_of_a_gain_has_the_true_gain_in_95_of_100_samples():
    random = np.random.RandomState(3)
    truth = norm.cdf(1.5 / math.sqrt(2)) - norm.cdf(0.5 / math.sqrt(2))
    inside = []
    for _ in range(600):
        shared = random.randn(40), random.randn(30)  # both scores see the same images
        one, other = (
            [math.sqrt(0.5) * (part + random.randn(len(part))) for part in shared] for _ in range(2)
        )
        low, high = gain((one[0], 1.5 + one[1]), (other[0], 0.5 + other[1])).between
        inside.append(low <= truth <= high)
    assert 0.92 < np.mean(inside) < 0.98

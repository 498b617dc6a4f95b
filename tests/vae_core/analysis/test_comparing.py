"""Comparing models by means over images: errors of differences, and who is best."""

import math

import numpy as np
import pytest

from vae_core.analysis.comparing import LEVEL, Mean, differences, holm, ranking
from vae_core.basics.arrays import Floats


def mean_of(scores: Floats, kept: bool = True) -> Mean:
    se = scores.std(ddof=1) / math.sqrt(len(scores))
    return Mean(float(scores.mean()), float(se), len(scores), scores if kept else None)


def test_the_error_of_a_paired_difference_is_that_of_the_differences_of_the_images() -> None:
    a, b = np.array([-80.0, -90.0, -100.0, -70.0]), np.array([-81.0, -90.5, -102.0, -70.5])
    found = differences([mean_of(a), mean_of(b)])
    assert found.value[0, 1] == 1.0
    assert found.se[0, 1] == pytest.approx(np.std(a - b, ddof=1) / 2)
    assert found.paired[0, 1]


def test_without_values_of_each_image_the_errors_add_up_as_squares() -> None:
    found = differences([Mean(-80.0, 0.3, 1000), Mean(-81.0, 0.4, 1000)])
    assert found.se[0, 1] == pytest.approx(0.5)
    assert not found.paired[0, 1]


def test_values_of_another_number_of_images_are_not_paired() -> None:
    random = np.random.default_rng(0)
    found = differences([mean_of(random.normal(size=10)), mean_of(random.normal(size=20))])
    assert not found.paired[0, 1]


def test_pairing_tells_models_apart_that_their_own_errors_do_not() -> None:
    random = np.random.default_rng(0)
    hard = random.normal(-90, 20, 500)
    scores = [hard + 0.5 + random.normal(0, 1, 500), hard + random.normal(0, 1, 500)]
    assert ranking([mean_of(s) for s in scores]).best == 0
    assert ranking([mean_of(s, kept=False) for s in scores]).best is None


def test_a_large_number_of_images_gives_the_p_value_of_a_normal_variable() -> None:
    found = differences([Mean(0.0, 1.0, 10**7), Mean(1.959964 * math.sqrt(2), 1.0, 10**7)])
    assert found.p[0, 1] == pytest.approx(0.05, abs=1e-5)


def test_few_images_give_the_p_value_of_student() -> None:
    scores = np.array([1.0, 2.0, 3.0])
    found = differences([mean_of(scores), mean_of(np.zeros(3))])
    assert found.p[0, 1] == pytest.approx(0.0741799, abs=1e-6)  # t = 3.4641 at 2 degrees


def test_holm_multiplies_by_the_number_of_p_values_that_are_left() -> None:
    found = holm(np.array([0.01, 0.04, 0.03, np.nan]))
    assert found[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert np.isnan(found[3])


def test_the_corrected_p_values_of_three_models_are_those_of_three_pairs() -> None:
    alone = differences([Mean(0.0, 1.0, 500), Mean(4.0, 1.0, 500)]).p[0, 1]
    found = differences([Mean(0.0, 1.0, 500), Mean(4.0, 1.0, 500), Mean(4.0, 1.0, 500)])
    assert found.p[0, 1] == pytest.approx(3 * alone)
    assert found.pairs == 3
    assert np.array_equal(found.p, found.p.T, equal_nan=True)


def test_the_best_is_above_all_others_and_not_only_above_most() -> None:
    means = [Mean(-80.0, 0.1, 1000), Mean(-80.1, 0.1, 1000), Mean(-90.0, 0.1, 1000)]
    found = ranking(means)
    assert found.best is None
    assert found.leaders == (0, 1)
    assert found.order == (0, 1, 2)


def test_a_model_with_itself_is_not_better_than_itself() -> None:
    scores = np.random.default_rng(0).normal(size=100)
    assert ranking([mean_of(scores), mean_of(scores)]).best is None


def test_one_model_alone_is_not_the_best() -> None:
    assert ranking([Mean(-80.0, 0.1, 1000)]).best is None


def test_a_model_without_a_figure_takes_no_part() -> None:
    found = ranking([Mean(math.nan, math.nan, 1000), Mean(-80.0, 0.1, 1000), Mean(-85.0, 0.1, 9)])
    assert found.order == (1, 2)
    assert found.best == 1
    assert found.differences.pairs == 1


def test_nothing_is_told_apart_where_the_error_is_not_known() -> None:
    assert ranking([Mean(-80.0, math.nan, 1), Mean(-99.0, math.nan, 1)]).leaders == (0, 1)


def test_no_models_make_an_empty_ranking() -> None:
    assert ranking([]).order == ()


@pytest.mark.parametrize("models", [2, 6])
@pytest.mark.parametrize("kept", [True, False])
def test_equal_models_are_told_apart_at_most_as_often_as_the_level_says(
    models: int, kept: bool
) -> None:
    random, rounds, wrong = np.random.default_rng(1), 400, 0
    for _ in range(rounds):
        hard = random.normal(0, 1, 30) if kept else 0
        scores = [hard + random.normal(0, 1, 30) for _ in range(models)]
        wrong += bool(np.nanmin(differences([mean_of(s, kept) for s in scores]).p) <= LEVEL)
    assert wrong / rounds <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / rounds)


def test_the_paired_error_is_as_large_as_differences_scatter() -> None:
    random, errors, values = np.random.default_rng(2), [], []
    for _ in range(400):
        hard = random.normal(0, 5, 40)
        scores = [hard + random.normal(0, 1, 40) for _ in range(2)]
        found = differences([mean_of(s) for s in scores])
        errors.append(found.se[0, 1] ** 2)
        values.append(found.value[0, 1])
    assert np.mean(errors) == pytest.approx(np.var(values), rel=0.25)

"""Differences between settings against their spread over seeds."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from vae_core.analysis.comparing import LEVEL, Mean
from vae_core.analysis.seeds import (
    Repeated,
    basis_of,
    differences_over_seeds,
    ranking_over_seeds,
    repeated,
)


def cell(*values: float, se: float = 0.2) -> Repeated:
    return repeated([Mean(value, se, 300) for value in values])


def test_the_error_is_that_of_the_mean_over_seeds() -> None:
    found = cell(1.0, 2.0, 6.0)
    assert found.value == 3
    assert found.spread == pytest.approx(np.std([1, 2, 6], ddof=1))
    assert found.se == pytest.approx(found.spread / math.sqrt(3))


def test_with_one_seed_the_error_is_that_over_images() -> None:
    assert cell(1.0, se=0.3).se == 0.3
    assert math.isnan(cell(1.0).spread)


def test_a_seed_whose_figure_is_not_known_takes_no_part() -> None:
    assert cell(1.0, math.nan, 3.0).seeds == 2
    assert math.isnan(cell(math.nan).value)


def test_two_settings_are_compared_by_the_test_of_welch() -> None:
    one, other = [1.0, 2.0, 6.0], [11.0, 12.5]
    found = differences_over_seeds([cell(*one), cell(*other)])
    reference: Any = stats.ttest_ind(one, other, equal_var=False)
    assert found.p[0, 1] == pytest.approx(reference.pvalue)
    assert found.value[1, 0] == pytest.approx(8.75)


def test_a_single_seed_gets_the_spread_of_the_others() -> None:
    one, other = [1.0, 2.0, 6.0], [20.0]
    found = differences_over_seeds([cell(*one), cell(*other)])
    reference: Any = stats.ttest_ind(
        one, other, equal_var=True
    )  # with one value: its pooled variance
    assert found.p[0, 1] == pytest.approx(reference.pvalue)


def test_without_a_second_seed_the_same_images_are_compared() -> None:
    images = np.random.default_rng(0).normal(size=100)
    means = [Mean(float(s.mean()), 1.0, 100, s) for s in (images, images + 0.5)]
    settings = [repeated([mean]) for mean in means]
    assert basis_of(settings) == "images"
    assert ranking_over_seeds(settings).best == 1


def test_few_seeds_need_a_larger_difference_than_many() -> None:
    few = differences_over_seeds([cell(0.0, 1.0), cell(2.5, 3.5)]).p[0, 1]
    many = differences_over_seeds([cell(*[0.0, 1.0] * 8), cell(*[2.5, 3.5] * 8)]).p[0, 1]
    assert many < LEVEL < few


def test_equal_figures_of_all_seeds_are_not_told_apart_from_themselves() -> None:
    found = ranking_over_seeds([cell(1.0, 1.0), cell(1.0, 1.0), cell(0.0, 0.0)])
    assert found.leaders == (0, 1)


def test_a_setting_without_figures_takes_no_part() -> None:
    found = ranking_over_seeds([cell(), cell(1.0, 1.1), cell(9.0, 9.1)])
    assert found.order == (2, 1)
    assert found.best == 2


@pytest.mark.parametrize("seeds", [(3, 3, 3), (2, 5, 3), (1, 4, 4)])
def test_equal_settings_are_told_apart_at_most_as_often_as_the_level_says(
    seeds: tuple[int, ...],
) -> None:
    random, rounds, wrong = np.random.default_rng(1), 600, 0
    for _ in range(rounds):
        settings = [cell(*random.normal(0, 1, n)) for n in seeds]
        wrong += bool(np.nanmin(differences_over_seeds(settings).p) <= LEVEL)
    assert wrong / rounds <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / rounds)

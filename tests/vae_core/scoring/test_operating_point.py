"""The false-alarm rate with the lowest cost, and its rates on images that did not choose it."""

import numpy as np
import pytest

from vae_core.basics.errors import InvalidArgument
from vae_core.scoring.operating_point import (
    FEWEST_IMAGES,
    FEWEST_TO_HALVE,
    RATES,
    Costs,
    candidates,
    choose,
    rates_at,
    table_of_rates,
)
from vae_core.scoring.roc import Rate
from vae_core.scoring.typicality import verdict_of

EVEN = Costs(1.0, 1.0, 0.5)


def p_values(images: int, held_out: int, seed: int, power: float = 1.0) -> np.ndarray:
    """P-values of images: uniform, or lower for a larger power."""
    drawn = np.random.RandomState(seed).rand(images) ** power
    return np.ceil(drawn * (held_out + 1)) / (held_out + 1)


@pytest.mark.parametrize("held_out", [24, 100, 499, 3000])
def test_verdicts_differ_between_candidates_and_nowhere_else(held_out):
    rates = candidates(held_out)
    assert (rates >= 0.001).all()
    assert (rates <= 0.2).all()
    calls = [sum(verdict_of(k / (held_out + 1), rate) == "unlike the training data"
                 for k in range(1, held_out + 2)) for rate in rates]  # fmt: skip
    assert (np.diff(calls) >= 1).all()
    if held_out < 1000:
        assert calls == list(range(1, int(0.2 * (held_out + 1)) + 1))


def test_the_cost_is_that_of_misses_and_false_alarms_in_their_shares():
    costs = Costs(miss=10, alarm=2, share_bad=0.1)
    assert costs.of(0.75, 0.05) == pytest.approx(0.1 * 10 * 0.25 + 0.9 * 0.1)
    assert costs.of_none == costs.of(0.0, 0.0)


@pytest.mark.parametrize("costs", [EVEN, Costs(10, 1, 0.05), Costs(1, 1, 0.01), Costs(1, 50, 0.5)])
def test_no_other_rate_costs_less_on_the_images_that_choose(costs):
    good, bad = p_values(40, 200, 0), p_values(30, 200, 1, power=6)
    chosen = choose(good, bad, 200, costs)
    assert chosen.way == "folds"

    def cost(rate: float) -> float:
        counted = rates_at(rate, good, bad)
        return costs.of(counted.detected.value, counted.alarms.value)

    assert cost(chosen.false_alarms) == pytest.approx(min(map(cost, candidates(200))))


def test_of_many_rates_with_the_same_cost_it_takes_the_middle_one():
    good, bad = np.full(10, 0.9), np.full(10, 0.05)  # any rate from 0.05 on is perfect
    chosen = choose(good, bad, 99, EVEN)
    assert chosen.false_alarms == pytest.approx(0.13)
    assert (chosen.alarms.count, chosen.detected.count) == (0, 10)


def test_with_many_images_the_rate_comes_from_one_half_and_its_rates_from_the_other():
    good, bad = p_values(FEWEST_TO_HALVE, 500, 0), p_values(301, 500, 1, power=5)
    chosen = choose(good, bad, 500, EVEN)
    assert chosen.way == "halves"
    assert (chosen.alarms.images, chosen.detected.images) == (50, 151)
    assert choose(good, bad, 500, EVEN) == chosen
    assert choose(good, bad, 500, EVEN, seed=1) != chosen


def test_with_few_images_each_part_is_judged_at_the_rate_of_all_others():
    good, bad = p_values(12, 60, 3), p_values(9, 60, 4, power=3)
    chosen = choose(good, bad, 60, EVEN)
    rates = candidates(60)

    def best(good: np.ndarray, bad: np.ndarray) -> float:
        cost = [(bad > rate + 1e-9).mean() + (good <= rate + 1e-9).mean() for rate in rates]
        lowest = np.flatnonzero(np.array(cost) <= min(cost) + 1e-9)
        return float(rates[lowest[len(lowest) // 2]])

    assert chosen.false_alarms == best(good, bad)
    random = np.random.default_rng(0)
    in_good, in_bad = (random.permutation(np.arange(n) % 9) for n in (12, 9))
    alarms = detected = 0
    for fold in range(9):
        limit = best(good[in_good != fold], bad[in_bad != fold]) + 1e-9
        alarms += int((good[in_good == fold] <= limit).sum())
        detected += int((bad[in_bad == fold] <= limit).sum())
    assert (chosen.alarms, chosen.detected) == (Rate(alarms, 12), Rate(detected, 9))


@pytest.mark.slow
@pytest.mark.parametrize(("images", "repeats"), [(30, 300), (200, 60)])
def test_rates_are_no_better_than_chance_where_nothing_can_be_told_apart(images, repeats):
    """Good and bad images alike. On the images that choose, errors seem to be 46 and 49 %."""
    errors = []
    for seed in range(repeats):
        good, bad = (p_values(images, 300, 1000 * seed + group) for group in range(2))
        chosen = choose(good, bad, 300, EVEN, seed=seed)
        errors.append((1 - chosen.detected.value + chosen.alarms.value) / 2)
    assert np.mean(errors) == pytest.approx(0.5, abs=3 * np.std(errors) / len(errors) ** 0.5)
    assert np.mean(errors) > 0.491


def test_a_rate_that_was_given_is_reported_on_all_images():
    good, bad = p_values(150, 500, 0), p_values(120, 500, 1, power=5)
    chosen = choose(good, bad, 500, EVEN, given=0.04)
    assert chosen.way == "given"
    assert chosen.false_alarms == 0.04
    assert chosen.alarms == Rate(int((good <= 0.04).sum()), 150)
    assert chosen.detected == Rate(int((bad <= 0.04).sum()), 120)


def test_it_is_known_when_calling_no_image_would_be_cheaper():
    good, bad = p_values(50, 500, 0), p_values(50, 500, 1, power=5)
    assert choose(good, bad, 500, Costs(1, 1, 1e-6)).calls_for_nothing
    assert not choose(good, bad, 500, Costs(100, 1, 0.3)).calls_for_nothing


def test_the_table_has_the_rates_that_the_held_out_images_support():
    good, bad = p_values(50, 200, 0), p_values(50, 200, 1)
    rows = table_of_rates(good, bad, 200)
    assert [row.false_alarms for row in rows] == [rate for rate in RATES if rate >= 0.005]
    for row in rows:
        assert row == rates_at(row.false_alarms, good, bad)


def test_too_few_images_are_refused_with_how_many_it_takes():
    few, enough = np.full(FEWEST_IMAGES - 1, 0.5), np.full(FEWEST_IMAGES, 0.5)
    with pytest.raises(InvalidArgument, match="at least 5 good images that can be read; there are"):
        choose(few, enough, 100, EVEN)
    with pytest.raises(InvalidArgument, match="at least 5 bad images"):
        choose(enough, few, 100, EVEN)
    with pytest.raises(InvalidArgument, match="needs 999 held-out images"):
        choose(enough, enough, 100, EVEN, given=0.001)
    with pytest.raises(InvalidArgument, match="held-out images"):
        choose(enough, enough, 3, EVEN)

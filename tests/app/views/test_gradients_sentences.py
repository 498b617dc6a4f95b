"""What the Gradient lab says follows from the numbers, and no further than their errors allow."""

import numpy as np
import pytest

from app.services.gradient_table import (
    ESTIMATORS,
    Point,
    Table,
    cells,
    grid,
    refusal,
    seed_of,
    signal,
)
from app.views.gradients import sentences
from vae_core.settings.choices import GradientName


def point(
    gradient: GradientName,
    samples: int,
    variance: float,
    error: float = 0.05,
    *,
    seconds: float = 1e-3,
    repeats: int = 100,
    mean: float = 1.0,
) -> Point:
    """A point with a relative error; its one coordinate scatters as its variance says."""
    noise = np.random.default_rng(samples).normal(size=(repeats, 1))
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    return Point(
        gradient, samples, repeats, variance, error * variance, 9.0, seconds, 0.02 * seconds,
        mean + variance**0.5 * noise,
    )  # fmt: skip


def table(*points: Point) -> Table:
    return {g: row for g in ESTIMATORS if (row := [p for p in points if p.gradient == g])}


def test_the_noisiest_is_held_against_the_pathwise_gradient() -> None:
    found = table(
        point("pathwise", 8, 2.0),
        point("sticking-the-landing", 8, 1.0),
        point("score-function", 8, 3000.0),
        point("score-function-baseline", 8, 4.0),
    )
    said = sentences.headline(found, 8)
    assert said.startswith(
        "At L = 8, the score function has about 1,500 times the variance of the pathwise gradient, "
        "so its signal-to-noise is 39 ± 1 times lower: for the same noise, the score function "
        "needs about 1,500 times the samples."
    )
    assert "Score function with leave-one-out" not in said
    assert "the score function with leave-one-out has 2.0 ± 0.1 times" in said.lower()
    assert "sticking the landing has 0.50 ± 0.04 times" in said.lower()
    assert "told" not in said


LEFT_OPEN = {
    "Sticking the landing cannot be distinguished from the pathwise gradient with 100 estimates.": {
        "pathwise": 2.0, "sticking-the-landing": 1.9, "score-function": 300.0,
    },
    "the pathwise gradient are equally noisy within the measurement errors": {
        "pathwise": 2.0, "score-function-baseline": 2.1,
    },
}  # fmt: skip
AHEAD = {
    "The score function with leave-one-out has 0.50 ± 0.04 times the variance of": {
        "pathwise": 2.0, "score-function-baseline": 1.0, "score-function": 500.0,
    },
    "At L = 32, the pathwise gradient has 2.0 ± 0.1 times the variance of the score function with "
    "leave-one-out, so its signal-to-noise is 1.41 ± 0.05 times lower": {
        "pathwise": 2.0, "score-function-baseline": 1.0,
    },
}  # fmt: skip


@pytest.mark.parametrize(("expected", "variances"), (LEFT_OPEN | AHEAD).items())
def test_it_says_what_is_ahead_and_leaves_open_what_errors_leave_open(
    expected: str, variances: dict[GradientName, float]
) -> None:
    found = table(*(point(gradient, 32, value) for gradient, value in variances.items()))
    assert expected in sentences.headline(found, 32)


def test_the_leave_one_out_baseline_makes_no_promise_of_one_over_l() -> None:
    found = table(point("pathwise", 2, 2.0), point("score-function-baseline", 2, 8.0))
    assert "needs" not in sentences.headline(found, 2)


def test_an_exact_posterior_leaves_no_noise() -> None:
    found = table(point("pathwise", 1, 2.0), point("sticking-the-landing", 1, 0.0))
    assert "sticking the landing has no noise at all" in sentences.headline(found, 1)
    tiny = table(point("pathwise", 1, 2.0), point("sticking-the-landing", 1, 1e-24))
    assert "no noise at all" in sentences.headline(tiny, 1)


def test_nothing_is_said_of_a_few_estimates() -> None:
    found = table(
        point("pathwise", 8, 2.0, repeats=8), point("score-function", 8, 900.0, repeats=8)
    )
    assert sentences.headline(found, 8) == ""
    assert sentences.of_samples(found) == ""
    assert sentences.of_means(found, 8, 1) == ""


@pytest.mark.parametrize(("last", "verdict"), [(1.0, "as"), (4.0, "while")])
def test_what_samples_buy_is_compared_with_averaging(last: float, verdict: str) -> None:
    found = table(point("pathwise", 1, 16.0), point("pathwise", 16, last, seconds=2e-3))
    said = sentences.of_samples(found)
    assert f"{verdict} averaging predicts 16. A gradient takes 2.0 times as long" in said
    assert "L = 16 leaves the least variance" in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.9e-3, "no longer"), (1.04e-3, "no longer"), (1.5e-3, "1.5 times as long")],
)
def test_a_time_that_errors_or_rounding_leave_equal_is_no_longer(seconds: float, said: str) -> None:
    found = table(point("pathwise", 1, 16.0), point("pathwise", 16, 1.0, seconds=seconds))
    assert f"A gradient takes {said}." in sentences.of_samples(found)


def test_equally_good_buys_are_all_named() -> None:
    found = table(
        point("pathwise", 1, 16.0, seconds=1e-3),
        point("pathwise", 4, 4.0, seconds=2e-3),
        point("pathwise", 16, 1.0, seconds=8.2e-3),
    )
    assert "L = 4 and 16 leave the least variance; the errors" in sentences.of_samples(found)
    alike = table(*(point("pathwise", L, 16 / L, seconds=1e-3 * L) for L in grid(16)))
    assert "The best L for a given computing time cannot be determined" in sentences.of_samples(
        alike
    )


def test_means_agree_only_within_their_errors() -> None:
    agreeing = table(point("pathwise", 8, 1.0), point("score-function", 8, 400.0, mean=2.0))
    said = sentences.of_means(agreeing, 8, 1)
    assert said == (
        "At L = 8, the derivative by the mean of z₁ is 1.0 ± 0.1 nats: all means agree within "
        "their errors; the score function varies 20 times as much as the pathwise gradient."
    )
    apart = table(point("pathwise", 8, 1.0), point("score-function", 8, 400.0, mean=12.0))
    assert (
        "the score function is more than three standard errors away from it"
        in sentences.of_means(apart, 8, 1)
    )


def test_the_signal_is_that_of_the_least_noisy_point() -> None:
    found = table(point("pathwise", 1, 9.0), point("pathwise", 4, 1.0))
    square, error = signal(found)
    assert square == 9.0
    assert error == pytest.approx(2 * (9.0 * 1.0 / 100) ** 0.5)


def test_a_model_whose_gradients_are_no_numbers_is_not_talked_about() -> None:
    found = table(point("pathwise", 8, np.nan), point("score-function", 8, np.nan))
    assert sentences.headline(found, 8) == sentences.of_samples(found) == ""
    assert sentences.of_means(found, 8, 1) == ""
    assert np.isnan(signal(found)[0])


def test_every_estimator_is_measured_at_the_l_it_takes_and_says_why_not() -> None:
    assert grid(32) == [1, 2, 4, 8, 16, 32]
    at_one = cells(ESTIMATORS, 4, 1)
    assert ("score-function-baseline", 1) not in at_one
    assert ("score-function-baseline", 2) in at_one
    assert {gradient for gradient, _ in cells(ESTIMATORS, 4, 5)} == {"pathwise", "dreg"}
    assert "at least 2" in refusal("score-function-baseline", 1, 1)
    assert "K = 1" in refusal("dreg", 8, 1)
    assert "pathwise or the DReG" in refusal("score-function", 8, 5)
    assert refusal("dreg", 8, 5) == ""


def test_no_two_points_share_their_noise() -> None:
    seeds = [seed_of(gradient, samples) for gradient, samples in cells(ESTIMATORS, 512, 1)]
    assert len(set(seeds)) == len(seeds)

"""The figures of the Theory page show what the mathematics says."""

from typing import Any

import numpy as np
import pytest

from app.figures import theory_gradients, theory_samples, theory_variables


def data(figure: Any) -> list[Any]:
    return list(figure.data)


def area(trace: Any) -> float:
    return float(np.trapezoid(trace.y, trace.x))


@pytest.mark.parametrize(("mean", "sd", "at"), [(1.0, 0.5, 0.3), (-2.0, 2.0, -1.0)])
def test_both_strips_of_the_map_hold_the_same_probability(
    mean: float, sd: float, at: float
) -> None:
    traces = data(theory_variables.change_of_variables(mean, sd, at))
    before, after = (each for each in traces if each.fill == "tozeroy")
    assert area(before) == pytest.approx(area(after), rel=1e-9)


def test_the_density_of_z_has_area_one_and_the_slip_has_the_square_of_the_spread() -> None:
    traces = data(theory_variables.change_of_variables(0.5, 0.6, 0.0))
    areas = {each.name: area(each) for each in traces if each.xaxis == "x2" and not each.fill}
    assert areas["q(z) = p(ε) / σ"] == pytest.approx(1, abs=1e-6)
    assert areas["the slip: p(ε) · σ"] == pytest.approx(0.36, abs=1e-6)


def test_the_running_mean_and_its_error_are_those_of_the_first_draws() -> None:
    values = np.random.default_rng(0).normal(-100, 2, 50)
    count, means, errors = theory_samples.running(values)
    assert count[-1] == 50
    assert np.isnan(errors[0])
    for n in (2, 10, 50):
        assert means[n - 1] == pytest.approx(values[:n].mean())
        assert errors[n - 1] == pytest.approx(values[:n].std(ddof=1) / n**0.5, rel=1e-6)


def test_equal_draws_have_a_figure_too() -> None:
    theory_samples.against_samples(np.full(1000, -3.0), 10)


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.7), (2.0, 1.5), (-3.0, 0.3)])
def test_both_estimators_have_the_true_derivative_as_their_mean(mean: float, sd: float) -> None:
    found = theory_gradients.draw(mean, sd, samples=5)
    for values in (found.score, found.pathwise):
        error = values.std() / len(values) ** 0.5
        assert abs(values.mean() - found.truth) < 4 * error
    assert found.ratio > 1

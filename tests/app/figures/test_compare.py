"""Charts of several runs: which curve is which, and what the axes show."""

import math
from typing import Any

from app.figures.compare import Curve, curves_figure, kl_figure


def traces(figure: Any) -> list[Any]:
    return list(figure.data)


def test_the_curves_of_a_run_have_one_colour_and_training_is_dotted() -> None:
    curves = [Curve(0, "a", [1, 2], [-9.0, -8.0]), Curve(0, "a", [1, 2], [-9.0, -8.0], True)]
    validation, training = traces(curves_figure(curves, "ELBO", "epoch"))
    assert validation.line.color == training.line.color
    assert (validation.line.dash, training.line.dash) == ("solid", "dot")
    assert (validation.showlegend, training.showlegend) == (True, False)


def test_the_eleventh_run_differs_from_the_first_by_its_dashes() -> None:
    curves = [Curve(run, str(run), [1, 2], [-9.0, -8.0]) for run in (0, 10)]
    first, eleventh = traces(curves_figure(curves, "ELBO", "epoch"))
    assert first.line.color == eleventh.line.color
    assert first.line.dash != eleventh.line.dash


def test_points_that_are_not_known_are_left_out_so_that_the_line_goes_on() -> None:
    (trace,) = traces(
        curves_figure([Curve(0, "a", [1, 2, 3], [-9.0, math.nan, -8.0])], "KL", "step")
    )
    assert list(trace.x) == [1, 3]
    assert trace.mode == "lines+markers"


def test_the_axis_does_not_follow_the_first_epochs() -> None:
    curve = Curve(0, "a", list(range(100)), [-1000.0] * 5 + [-90.0 + i / 100 for i in range(95)])
    figure: Any = curves_figure([curve], "ELBO", "seconds")
    assert figure.layout.yaxis.range[0] > -100
    assert figure.layout.xaxis.title.text == "Training time (s)"


def test_the_names_of_many_runs_are_below_the_plot_and_take_no_room_from_it() -> None:
    curves = [Curve(run, f"run {run}", [1, 2], [-9.0, -8.0]) for run in range(30)]
    few, many = (curves_figure(some, "ELBO", "epoch") for some in (curves[:3], curves))
    layouts: Any = (few.layout, many.layout)
    assert layouts[0].legend.y > 0 > layouts[1].legend.y
    assert layouts[1].height - layouts[0].height == 20 * 15


def test_no_curves_make_an_empty_chart() -> None:
    assert not traces(curves_figure([], "ELBO", "epoch"))


def test_the_kl_of_dimensions_is_sorted_and_names_the_dimension() -> None:
    two, one = traces(kl_figure(["a", "b"], [[0.1, 2.0], [1.0]]))
    assert list(two.y) == [2.0, 0.1]
    assert list(two.customdata) == ["z2", "z1"]
    assert list(one.y) == [1.0]

"""The chart of a data set: a bar for each class, in three parts, and every number in the table."""

import numpy as np

from app.figures.data import MOST_BARS, counts_figure, counts_table

COUNTS = {"train": np.array([5, 7]), "validation": np.array([1, 2]), "test": np.array([0, 3])}


def test_the_parts_of_a_class_are_above_each_other() -> None:
    figure = counts_figure(COUNTS, ("cats", "dogs"))
    assert figure.layout.barmode == "stack"  # type: ignore[attr-defined]
    bars = {bar.name: list(bar.y) for bar in figure.data}  # type: ignore[attr-defined]
    assert bars == {"training": [5, 7], "validation": [1, 2], "test": [0, 3]}


def test_of_many_classes_the_largest_are_drawn_and_all_are_in_the_table() -> None:
    counts = {"train": np.arange(100), "validation": np.zeros(100, int), "test": np.zeros(100, int)}
    names = [f"class {i}" for i in range(100)]
    figure = counts_figure(counts, names)
    assert list(figure.data[0].y) == list(range(100 - MOST_BARS, 100))  # type: ignore[attr-defined]
    assert f"{MOST_BARS} largest of 100" in figure.layout.title.text  # type: ignore[attr-defined]
    assert counts_table(counts, names)["training"].tolist() == list(range(100))  # type: ignore[union-attr]


def test_the_name_of_a_class_is_no_markup() -> None:
    figure = counts_figure(COUNTS, ("<b>cats</b>", "dogs" * 20))
    shown = list(figure.layout.xaxis.ticktext)  # type: ignore[attr-defined]
    assert shown[0] == "&lt;b&gt;cats&lt;/b&gt;"
    assert len(shown[1]) == 14

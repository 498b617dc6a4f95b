"""The plots of the Latent space page: every point, contour and picture where it belongs."""

import csv
import io
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from app.figures import latent_map as figures
from app.figures import latent_sheets as sheets
from app.figures import style
from app.figures.prior import Prior, PriorOnPlane, prior_on_plane
from app.figures.regions import region_of_text

CLASSES = tuple("0123456789")


def standard(d: int) -> Prior:
    return Prior(np.zeros(d), np.ones(d))


def cloud(count: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 2)), 3 * np.arange(count), rng.integers(0, 4, count)


def mapped(count: int = 120, d: int = 2, **changes: Any) -> go.Figure:
    points, index, labels = cloud(count)
    prior = changes.pop("prior", PriorOnPlane(np.zeros(2), np.eye(2)))
    return figures.map_figure(points, index, labels, CLASSES, d, [0.6, 0.3], prior, **changes)


def traces(figure: go.Figure) -> list[Any]:
    return list(figure.data)  # type: ignore[arg-type]


def shown(figure: go.Figure) -> dict[int, tuple[float, float]]:
    """Where each image lies, by what a click on it gives."""
    parts = [t for t in traces(figure) if t.customdata is not None]
    return {
        int(i): (float(x), float(y))
        for t in parts
        for i, x, y in zip(t.customdata, t.x, t.y, strict=True)
    }


# ---- the map


@pytest.mark.parametrize("scaled", [False, True])
def test_every_image_is_one_point_that_says_which_it_is(scaled: bool) -> None:
    points, index, _ = cloud()
    scale = figures.Scale("KL, nats", np.arange(120.0)) if scaled else None
    places = shown(mapped(scale=scale))
    assert set(places) == set(index.tolist())
    np.testing.assert_allclose([places[i] for i in index], points, rtol=1e-6)


def test_a_class_has_its_colour_and_one_without_images_no_entry() -> None:
    by_name = {t.name: t for t in traces(mapped())}
    assert set(by_name) == {"0", "1", "2", "3"}
    assert all(t.marker.color == style.class_colour(int(name)) for name, t in by_name.items())


def test_a_scale_colours_by_its_values_and_outliers_do_not_bleach_it() -> None:
    values = np.r_[np.linspace(0, 1, 119), 1000.0]
    figure: Any = mapped(scale=figures.Scale("KL, nats", values))
    (trace,) = traces(figure)
    np.testing.assert_array_equal(trace.marker.color, values)
    assert trace.marker.cmax < 20
    assert "KL, nats" in figure.layout.title.text


def test_the_same_data_make_the_very_same_figure() -> None:
    # A figure that changes is drawn anew in the browser, which forgets selection and zoom.
    for d in (1, 2, 16):
        assert mapped(d=d).to_json() == mapped(d=d).to_json()


def test_the_point_drawn_as_chosen_gives_way_to_one_that_is_clicked() -> None:
    figure = mapped(chosen=np.array([0.25, -1.0]))
    *others, chosen = traces(figure)
    assert (chosen.x[0], chosen.y[0]) == (0.25, -1.0)
    assert chosen.unselected.marker.opacity == 0
    assert chosen.hoverinfo == "skip", "or it would catch the click on the point below it"
    for trace in others:
        assert trace.selected.marker.color == chosen.marker.color == style.HIGHLIGHT
        assert trace.selected.marker.size == chosen.marker.size
        assert trace.unselected.marker.opacity == trace.marker.opacity


def test_the_prior_lies_behind_the_points_at_one_two_and_three_sigma() -> None:
    prior = PriorOnPlane(np.array([0.5, -2.0]), np.eye(2))
    circles: list[Any] = list(mapped(prior=prior).layout.shapes)  # type: ignore[attr-defined]
    assert [(c.type, c.layer) for c in circles] == [("circle", "below")] * 3
    assert [(c.x0, c.x1, c.y0, c.y1) for c in circles] == [
        (0.5 - r, 0.5 + r, -2.0 - r, -2.0 + r) for r in (1, 2, 3)
    ]


def test_a_prior_of_other_moments_lies_where_it_is_and_as_wide_as_it_is() -> None:
    shifted = Prior(np.array([0.5, -2.0]), np.array([1.0, 3.0]))
    plane = prior_on_plane(shifted, shifted.mean, np.eye(2))
    ellipses: list[Any] = list(mapped(prior=plane).layout.shapes)  # type: ignore[attr-defined]
    assert [(e.x0, e.x1, e.y0, e.y1) for e in ellipses] == [
        (0.5 - r, 0.5 + r, -2.0 - 3 * r, -2.0 + 3 * r) for r in (1, 2, 3)
    ]
    lines: list[Any] = list(mapped(d=1, prior=plane).layout.shapes)  # type: ignore[attr-defined]
    assert [line.x0 for line in lines] == [0.5 + s for s in range(-3, 4)]


def test_on_a_tilted_plane_the_prior_is_a_tilted_ellipse() -> None:
    axes = np.array([[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0]])
    plane = prior_on_plane(Prior(np.zeros(3), np.array([1.0, 4.0, 2.0])), np.zeros(2), axes)
    np.testing.assert_allclose(plane.covariance, axes @ np.diag([1, 16, 4]) @ axes.T)
    away = np.linalg.solve(np.linalg.cholesky(plane.covariance), plane.contour(2).T)
    np.testing.assert_allclose(np.hypot(*away), 2)
    shapes: list[Any] = list(mapped(d=3, prior=plane).layout.shapes)  # type: ignore[attr-defined]
    assert [shape.type for shape in shapes] == ["path"] * 3
    assert prior_on_plane(standard(3), np.zeros(2), axes).is_aligned


def test_circles_are_round() -> None:
    layout: Any = mapped().layout
    assert layout.yaxis.scaleanchor == "x"
    assert layout.yaxis.scaleratio == 1


@pytest.mark.parametrize(("count", "kind"), [(1500, "scatter"), (1501, "scattergl")])
def test_many_points_are_drawn_by_webgl(count: int, kind: str) -> None:
    figure = mapped(count, chosen=np.zeros(2))
    assert {t.type for t in traces(figure)} == {kind}


def test_one_dimension_lies_across_with_a_row_for_each_class() -> None:
    points, index, labels = cloud()
    figure = mapped(d=1, chosen=points[7])
    places = shown(figure)
    for image, (x, _), label in zip(index, points, labels, strict=True):
        across, up = places[image]
        assert across == pytest.approx(x, rel=1e-6)
        assert abs(up - label) < 0.5
    chosen = traces(figure)[-1]
    assert (chosen.x[0], chosen.y[0]) == pytest.approx(places[index[7]], rel=1e-6)


@pytest.mark.parametrize(
    ("d", "titles"),
    [
        (1, ("z₁", "class")),
        (2, ("z₁", "z₂")),
        (16, ("PC 1, 60% of the variance of the means", "PC 2, 30% of the variance of the means")),
    ],
)
def test_the_axes_say_what_they_show(d: int, titles: tuple[str, str]) -> None:
    layout: Any = mapped(d=d).layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == titles


def test_dimensions_are_counted_from_one() -> None:
    assert [figures.dimension_name(i) for i in (0, 9, 49)] == ["z₁", "z₁₀", "z₅₀"]


# ---- one posterior


def test_the_window_holds_the_whole_posterior_and_its_mean_in_the_middle() -> None:
    rng = np.random.default_rng(1)
    mean = np.array([2.0, -1.0])
    draws = mean + 0.1 * rng.normal(size=(200, 2))
    contour = mean + 0.5 * np.stack([np.cos(np.arange(7.0)), np.sin(np.arange(7.0))], -1)
    others, _, labels = cloud(400)
    figure = figures.posterior_figure(draws, [contour], mean, others, labels)
    layout: Any = figure.layout
    for axis, k in ((layout.xaxis, 0), (layout.yaxis, 1)):
        low, high = axis.range
        assert low < min(draws[:, k].min(), contour[:, k].min())
        assert high > max(draws[:, k].max(), contour[:, k].max())
        assert (low + high) / 2 == pytest.approx(mean[k])
    near, drawn, curve, centre = traces(figure)
    assert len(drawn.x) == 200
    np.testing.assert_array_equal(np.c_[curve.x, curve.y], contour)
    assert (centre.x[0], centre.y[0]) == tuple(mean)
    low, high = layout.yaxis.range
    assert all(low <= y <= high for y in near.y), "or points would hang over the edge"


def test_a_posterior_without_width_still_has_a_window() -> None:
    point = np.array([1.0, 1.0])
    figure = figures.posterior_figure(
        np.tile(point, (5, 1)), [], point, np.empty((0, 2)), np.empty(0, int)
    )
    low, high = figure.layout.xaxis.range  # type: ignore[attr-defined]
    assert low < 1 < high


def test_a_density_integrates_to_one() -> None:
    bars: Any = figures.density_bars(np.random.default_rng(0).normal(size=5000), "q", "#112233")
    assert float(np.sum(np.array(bars.y) * np.array(bars.width))) == pytest.approx(1)


def test_the_density_of_one_dimension_shows_where_its_mean_is() -> None:
    draws = np.random.default_rng(0).normal(3, 0.2, 2000)
    figure = figures.density_figure(draws, 3.0, np.array([2.9, 30.0]))
    bars, others = traces(figure)
    assert float(np.sum(bars.x * bars.y * bars.width)) == pytest.approx(3, abs=0.05)
    assert list(others.x) == [2.9]
    (line,) = figure.layout.shapes  # type: ignore[attr-defined]
    assert (line.x0, line.x1) == (3.0, 3.0)


# ---- sheets


def pixel_at(figure: go.Figure, x: float, y: float) -> int:
    """The level of the heatmap's cell whose centre is nearest to a point."""
    heat = traces(figure)[0]
    column, row = round((x - heat.x0) / heat.dx), round((y - heat.y0) / heat.dy)
    return int(heat.z[row][column])


@pytest.mark.parametrize("side", [8, 9, 28])
def test_an_image_lies_where_its_row_and_column_say(side: int) -> None:
    levels = np.linspace(0, 1, 6).reshape(2, 3)
    images = np.broadcast_to(levels[..., None, None], (2, 3, side, side))
    figure = sheets.sheet_figure(images, ["a", "", "c"], ["first", "second"])
    for row in range(2):
        for column in range(3):
            assert pixel_at(figure, column, row) == round(255 * levels[row, column])
    layout: Any = figure.layout
    assert dict(zip(layout.xaxis.tickvals, layout.xaxis.ticktext, strict=True)) == {0: "a", 2: "c"}
    assert layout.yaxis.range[0] > layout.yaxis.range[1], "the first row is on top"


def test_a_sheet_is_not_mirrored_or_turned() -> None:
    image = np.zeros((1, 1, 28, 28))
    image[0, 0, :14, 14:] = 1  # the upper right quarter
    figure = sheets.sheet_figure(image, [""], [""])
    assert pixel_at(figure, 0.2, -0.2) == 255
    heat = traces(figure)[0]
    assert heat.x0 + 27 / 2 * heat.dx == pytest.approx(0), "centred on its column"
    assert heat.y0 + 27 / 2 * heat.dy == pytest.approx(0), "and on its row"
    assert pixel_at(figure, -0.2, -0.2) == pixel_at(figure, 0.2, 0.2) == 0


def test_an_image_of_a_sheet_can_be_clicked_where_it_lies() -> None:
    images = np.zeros((2, 3, 8, 8))
    _, targets = traces(sheets.sheet_figure(images, [""] * 3, [""] * 2, hover=list("abcdef")))
    places = zip(targets.x, targets.y, targets.customdata, targets.text, strict=True)
    assert (2, 1, 5, "f") in [tuple(place) for place in places]
    assert targets.marker.opacity == targets.unselected.marker.opacity == 0


def test_the_table_of_a_sheet_holds_every_pixel() -> None:
    images = np.random.default_rng(0).random((2, 3, 4, 5))
    rows = list(csv.DictReader(io.StringIO(sheets.sheet_csv(images))))
    assert len(rows) == images.size
    for row in rows[::17]:
        place = (row["row"], row["column"], row["pixel row"], row["pixel column"])
        assert float(row["value"]) == pytest.approx(images[tuple(map(int, place))], abs=1e-4)


def test_both_ways_are_drawn_with_the_length_the_prior_has() -> None:
    ways = {"straight": np.array([2.0, 1.0, 2.0]), "spherical": np.array([2.0, 2.0, 2.0])}
    figure = sheets.length_figure(ways, standard(16))
    assert {t.name: list(t.y) for t in traces(figure)} == {k: list(v) for k, v in ways.items()}
    (line,) = figure.layout.shapes  # type: ignore[attr-defined]
    assert line.y0 == line.y1 == 4.0
    assert figure.layout.yaxis.range[1] > 4  # type: ignore[attr-defined]
    shifted = sheets.length_figure(ways, Prior(np.full(16, 2.0), np.full(16, 1.5)))
    (line,) = shifted.layout.shapes  # type: ignore[attr-defined]
    assert line.y0 == 10.0, "the root of 16 (2² + 1.5²)"


# ---- dimensions


def test_dimensions_stand_in_order_and_the_dead_are_grey() -> None:
    figure = sheets.kl_figure(np.array([0.0, 2.0, 1.0]), np.array([True, False, False]))
    active, dead = traces(figure)
    assert (list(active.x), list(active.y)) == (["z₂", "z₃"], [2.0, 1.0])
    assert (list(dead.x), dead.marker.color) == (["z₁"], style.NEUTRAL)
    assert list(figure.layout.xaxis.categoryarray) == ["z₂", "z₃", "z₁"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("dims", [[0], [2, 0], [4, 3, 2, 1, 0]])
def test_each_dimension_has_its_histogram_beside_the_prior(dims: list[int]) -> None:
    draws = np.random.default_rng(0).normal(np.arange(5), 1, size=(4000, 5))
    figure = sheets.aggregate_figure(draws, dims, standard(5))
    bars = [t for t in traces(figure) if t.type == "bar"]
    curves = [t for t in traces(figure) if t.type == "scatter"]
    assert len(bars) == len(curves) == len(dims)
    for dim, bar, curve in zip(dims, bars, curves, strict=True):
        assert float(np.sum(bar.x * bar.y * bar.width)) == pytest.approx(dim, abs=0.1)
        assert float(np.trapezoid(curve.y, curve.x)) == pytest.approx(1, abs=0.01)
        assert bar.xaxis == curve.xaxis
    titles = [a.text for a in figure.layout.annotations]  # type: ignore[attr-defined]
    assert [t.partition(":")[0] for t in titles] == [figures.dimension_name(i) for i in dims]


def test_the_histograms_show_a_shifted_prior_at_its_place() -> None:
    draws = np.random.default_rng(0).normal(2, 0.5, size=(1000, 2))
    prior = Prior(np.array([0.0, 2.0]), np.array([1.0, 1.5]))
    figure = sheets.aggregate_figure(draws, [0, 1], prior)
    curves = [t for t in traces(figure) if t.type == "scatter"]
    for curve, mean, sd in zip(curves, prior.mean, prior.sd, strict=True):
        density = np.asarray(curve.y)
        assert np.average(curve.x, weights=density) == pytest.approx(mean, abs=0.01)
        assert density.max() == pytest.approx(1 / (sd * np.sqrt(2 * np.pi)), rel=1e-3)


# ---- the map of an embedding, regions, and images without a class


def test_an_embedding_has_no_prior_and_axes_without_unit() -> None:
    points, index, labels = cloud()
    figure: Any = figures.map_figure(
        points, index, labels, CLASSES, 16, (), None, embedding="t-SNE"
    )
    assert not figure.layout.shapes
    assert figure.layout.xaxis.title.text == "t-SNE 1 (no unit)"
    assert figure.layout.title.text == "Posterior means E[z|x], t-SNE"


def test_the_axes_end_where_the_points_do() -> None:
    points, index, labels = cloud()
    layout: Any = mapped(chosen=np.array([9.0, 0.0])).layout
    assert 9 < layout.xaxis.range[1] < 9.6, "the chosen point is in view"
    extent = np.ptp(points, axis=0).max()
    for axis, values in ((layout.xaxis, points[:, 0]), (layout.yaxis, points[:, 1])):
        assert values.min() - 0.1 * 12 < axis.range[0] < values.min()
    figure: Any = figures.map_figure(
        points, index, labels, CLASSES, 2, (), PriorOnPlane(np.zeros(2), 99 * np.eye(2))
    )
    low, high = figure.layout.yaxis.range
    assert high - low < 1.2 * extent, "a wide prior does not make the data small"
    assert not figure.layout.annotations, "no contour has its top in view"


def test_images_without_a_class_are_grey_points_of_their_own() -> None:
    points, index, labels = cloud()
    labels[:30] = -1
    figure = figures.map_figure(points, index, labels, CLASSES, 2, (), None)
    by_name = {t.name: t for t in traces(figure)}
    assert len(by_name["no class"].x) == 30
    assert by_name["no class"].marker.color == style.NEUTRAL
    assert len(shown(figure)) == 120
    flat: Any = figures.map_figure(
        points, index, labels, CLASSES, 1, (), PriorOnPlane(np.zeros(2), np.eye(2))
    )
    assert flat.layout.yaxis.ticktext[0] == "no class"


def test_a_region_is_outlined_and_takes_the_place_of_what_was_selected() -> None:
    region = region_of_text("0_0_1_0_1_2")
    figure: Any = mapped(region=region, prior=None)
    (shape,) = figure.layout.shapes
    assert shape.path == "M0,0L1,0L1,2Z"
    assert figure.layout.selectionrevision == "0_0_1_0_1_2"


def test_two_paths_differ_in_colour_and_mark() -> None:
    ways = {"straight": np.ones(3), "spherical": np.ones(3)}
    one, other = traces(sheets.length_figure(ways, standard(4)))
    assert one.line.color != other.line.color
    assert one.marker.symbol != other.marker.symbol
    assert one.line.dash != other.line.dash

"""Pictures in grey and in colour: what is sent to the browser."""

import csv
import io
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch

from app.figures import latent_sheets, pictures, style, train

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (1, 5, 4), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (3, 5, 4), dtype=np.uint8)


def test_a_grey_image_keeps_every_level() -> None:
    np.testing.assert_array_equal(pictures.as_bytes(pictures.as_picture(GREY)), GREY[0])
    values = (GREY / 255).astype(np.float32)
    np.testing.assert_array_equal(pictures.as_picture(values), values[0])


def test_an_image_in_colour_keeps_its_colours_last() -> None:
    picture = pictures.as_picture(COLOUR)
    assert picture.shape == (5, 4, 3)
    levels = pictures.as_bytes(picture)
    assert levels[2, 3].tolist() == COLOUR[:, 2, 3].tolist()


@pytest.mark.parametrize("image", [GREY, COLOUR])
def test_tensors_and_batches_are_taken_too(image: np.ndarray) -> None:
    batch = np.stack([image, image[:, ::-1].copy()])
    found = pictures.as_picture(torch.from_numpy(batch[None]))
    assert found.dtype == np.float32
    for i in (0, 1):
        np.testing.assert_array_equal(found[0, i], pictures.as_picture(batch[i]))


def test_other_channels_are_shown_as_their_mean() -> None:
    image = np.stack([np.zeros((5, 4)), np.ones((5, 4))])
    np.testing.assert_array_equal(pictures.as_picture(image), np.full((5, 4), 0.5))


@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_tile_puts_every_image_where_it_belongs(colours: tuple[int, ...]) -> None:
    images = RNG.random((5, 2, 3, *colours)).astype(np.float32)
    sheet = pictures.tile(images, columns=2, gap=1, gap_value=-1)
    assert sheet.shape == (3 * 3 - 1, 2 * 4 - 1, *colours)
    for index, image in enumerate(images):
        top, left = 3 * (index // 2), 4 * (index % 2)
        np.testing.assert_array_equal(sheet[top : top + 2, left : left + 3], image)
    assert (sheet == -1).sum() == sheet.size - images.size


def test_a_tile_of_fewer_images_than_columns_is_one_full_row() -> None:
    assert pictures.tile(np.zeros((3, 8, 8)), columns=10, gap=2).shape == (8, 3 * 10 - 2)


def test_a_trace_holds_one_byte_a_number() -> None:
    grey: Any = pictures.image_trace(pictures.as_picture(GREY))
    colour: Any = pictures.image_trace(pictures.as_picture(COLOUR), x0=2)
    assert (type(grey), type(colour)) == (go.Heatmap, go.Image)
    assert (np.asarray(grey.z).dtype, np.asarray(colour.z).dtype) == (np.uint8, np.uint8)
    np.testing.assert_array_equal(grey.z, GREY[0])
    np.testing.assert_array_equal(colour.z, np.moveaxis(COLOUR, 0, -1))
    assert colour.x0 == 2


def test_sheets_and_strips_are_in_colour_where_the_images_are() -> None:
    images = pictures.as_picture(np.broadcast_to(COLOUR, (2, 3, *COLOUR.shape)))
    sheet: Any = latent_sheets.sheet_figure(images, ["", "", ""], ["a", "b"])
    strip: Any = train.strip_figure([0, 1], images.swapaxes(0, 1)[:2], ["x", "x̂"])
    assert {type(figure.data[0]) for figure in (sheet, strip)} == {go.Image}
    assert train.pairs(images[0], images[1], 3).shape == (11, 14, 3)
    corner = np.asarray(strip.data[0].z)[0, 0]
    assert corner.tolist() == COLOUR[:, 0, 0].tolist()


def test_what_is_saved_of_a_sheet_names_each_colour() -> None:
    images = pictures.as_picture(COLOUR)[None, None]
    rows = list(csv.DictReader(io.StringIO(latent_sheets.sheet_csv(images))))
    assert len(rows) == 60
    assert rows[4] == {
        "row": "0", "column": "0", "pixel row": "0", "pixel column": "1", "colour": "1",
        "value": str(np.round(images[0, 0, 0, 1, 1], 4)),
    }  # fmt: skip


def test_what_is_saved_of_a_figure_names_the_colour_of_a_pixel() -> None:
    figure = go.Figure(pictures.image_trace(pictures.as_picture(COLOUR)))
    rows = list(csv.DictReader(io.StringIO(style.figure_csv(figure))))
    red, green, blue = COLOUR[:, 1, 2]
    chosen = [row for row in rows if (row["x"], row["y"]) == ("2", "1")]
    assert [row["z"] for row in chosen] == [f"#{red:02x}{green:02x}{blue:02x}"]

"""The grid of decoded images that a browser shows at the pointer."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from app.parts.components.decoded_pointer import grid_of, places

LOW, HIGH = np.array([-1.0, 0.0]), np.array([1.0, 4.0])


@pytest.mark.parametrize(("values", "side"), [(64, 28), (784, 28), (3 * 64 * 64, 9), (10**7, 6)])
def test_large_images_get_a_coarser_grid_over_the_same_places(values: int, side: int) -> None:
    at = places(LOW, HIGH, values, flat=False)
    assert at.shape == (side, side, 2)
    np.testing.assert_allclose(at[0, 0], LOW)
    np.testing.assert_allclose(at[-1, -1], HIGH)
    np.testing.assert_allclose(at[0, -1], [1, 0])  # along a row the first coordinate changes


def test_a_line_needs_one_row() -> None:
    assert places(LOW, HIGH, 64, flat=True).shape == (1, 196, 2)


@pytest.mark.parametrize("colours", [(), (3,)])
def test_each_image_stands_at_its_place_on_the_sheet(colours: tuple[int, ...]) -> None:
    pictures = np.zeros((2, 3, 4, 5, *colours), np.float32)
    pictures[1, 2] = 1  # the upper right one
    grid = grid_of(LOW, HIGH, pictures)
    assert (grid.rows, grid.columns, grid.height, grid.width) == (2, 3, 4, 5)
    assert (grid.low, grid.high) == ((-1, 0), (1, 4))
    data = base64.b64decode(grid.sheet.partition(",")[2])
    levels = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    assert levels.shape == (8, 15)
    bright = levels > 128
    assert bright[4:, 10:].all()
    assert bright.sum() == 4 * 5

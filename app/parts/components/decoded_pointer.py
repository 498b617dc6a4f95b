"""The decoded image at the mouse pointer, over a chart whose axes are latent coordinates.

The images of a grid of places are sent once, so the browser needs no answer from the server while
the mouse moves.
"""

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from streamlit.components.v2 import component

from app.parts import charts
from app.parts.components.versions import numbered

_HERE = Path(__file__).parent
_SIDE, _FEWEST = 28, 6  # places along an axis
_MOST_VALUES = 1_000_000  # pixels of all images together

_component = component("decoded_pointer", js=(_HERE / "decoded_pointer.js").read_text("utf-8"))


@dataclass(frozen=True)
class Grid:
    """Decoded images of a grid of places on a chart.

    Attributes:
        low, high: corners of the grid, (2,) each; on a line only the first coordinate counts.
        sheet: the images, E[x|z], side by side, the lowest row first, as a data URL.
        columns, rows: number of places along both axes.
        height, width: pixels of an image.
    """

    low: tuple[float, float]
    high: tuple[float, float]
    sheet: str
    columns: int
    rows: int
    height: int
    width: int


def places(low: np.ndarray, high: np.ndarray, values: int, flat: bool) -> np.ndarray:
    """Choose the grid: coordinates (rows, columns, 2), from ``low`` to ``high``, (2,) each.

    Args:
        values: number of pixels of an image; larger images get a coarser grid.
        flat: whether the chart is a line, so that one row is enough.
    """
    side = int(np.clip((_MOST_VALUES / values) ** 0.5, _FEWEST, _SIDE))
    columns, rows = (side**2 // 4, 1) if flat else (side, side)
    x, y = (np.linspace(low[i], high[i], count) for i, count in ((0, columns), (1, rows)))
    return np.stack(np.meshgrid(x, y), -1)


def grid_of(low: np.ndarray, high: np.ndarray, pictures: np.ndarray) -> Grid:
    """Put pictures (rows, columns, H, W) or (rows, columns, H, W, 3) of a grid on one sheet."""
    rows, columns, height, width = pictures.shape[:4]
    sheet = np.moveaxis(pictures, 1, 2).reshape(rows * height, columns * width, *pictures.shape[4:])
    source = "data:image/png;base64," + base64.b64encode(charts.png(sheet)).decode()
    ends = tuple(map(float, low)), tuple(map(float, high))
    return Grid(*ends, source, columns, rows, height, width)  # type: ignore[arg-type]


def decoded_pointer(key: str, chart: str, grid: Grid) -> None:
    """Show the decoded image beside the pointer while it is over a chart.

    Args:
        chart: key of the chart.
    """
    _component(key=key, data=numbered(key, {"chart": chart, **vars(grid)}))

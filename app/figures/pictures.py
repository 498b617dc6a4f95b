"""Images as pictures: only this module of the app handles colour channels."""

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from app.figures import style

Picture = NDArray[np.float32]
"""An image with values in [0, 1]: (H, W) if it is grey, (H, W, 3) if it has colours."""


def as_picture(pixels: ArrayLike) -> Picture:
    """Convert images (…, C, H, W) to pictures.

    Args:
        pixels: uint8, or numbers in [0, 1]; an array, or a tensor on the CPU.

    Returns:
        (…, H, W, 3) for three channels: red, green and blue. For any other number of channels
        (…, H, W), their mean.
    """
    values = np.asarray(pixels)
    if values.dtype == np.uint8:
        values = values.astype(np.float32) / 255
    if values.shape[-3] == 3:
        return np.moveaxis(values, -3, -1).astype(np.float32)
    return values.mean(-3, dtype=np.float32)


def as_bytes(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """Convert a picture to bytes of the same shape; values outside [0, 1] are clipped."""
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def tile(images: NDArray[Any], columns: int, gap: int = 1, gap_value: float = 0.15) -> Picture:
    """Arrange pictures (N, H, W) or (N, H, W, 3) in rows as one, (H', W') or (H', W', 3).

    H' = rows · (H + gap) − gap, and W' in the same way. Empty places have ``gap_value``.
    """
    count, height, width, *colours = images.shape
    columns = max(1, min(columns, count))
    rows = math.ceil(count / columns)
    shape = (rows * (height + gap), columns * (width + gap), *colours)
    sheet = np.full(shape, gap_value, dtype=np.float32)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap]


def image_trace(picture: NDArray[Any], **place: Any) -> go.Heatmap | go.Image:
    """Make a trace of a picture; ``place`` may hold x0, dx, y0, dy, xaxis, yaxis.

    Each number is sent to the browser as one byte.
    """
    levels = as_bytes(picture)
    if picture.ndim == 3:
        return go.Image(z=levels, hoverinfo="skip", **place)
    return go.Heatmap(
        z=levels, zmin=0, zmax=255, colorscale=style.INK_SCALE, showscale=False, hoverinfo="skip",
        **place,
    )  # fmt: skip


def enlarged(images: NDArray[Any], times: int) -> NDArray[Any]:
    """Enlarge pictures (R, C, H, W) or (R, C, H, W, 3): each pixel becomes ``times``² pixels."""
    return images.repeat(times, 2).repeat(times, 3)

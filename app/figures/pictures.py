"""Images as pictures: the one place in the app that knows about channels."""

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from app.figures import style

Picture = NDArray[np.float32]
"""Values in [0, 1]: shape (H, W) where it is grey, (H, W, 3) where it has colours."""


def as_picture(pixels: ArrayLike) -> Picture:
    """Images (…, C, H, W) in the form in which they are drawn.

    Args:
        pixels: uint8, or numbers in [0, 1]: an array, or a tensor on the CPU.

    Returns:
        (…, H, W, 3) for red, green and blue; else (…, H, W), the only channel or, as no colours
        are known for another number of channels, the mean of all.
    """
    values = np.asarray(pixels)
    if values.dtype == np.uint8:
        values = values.astype(np.float32) / 255
    if values.shape[-3] == 3:
        return np.moveaxis(values, -3, -1).astype(np.float32)
    return values.mean(-3, dtype=np.float32)


def as_bytes(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture with values in [0, 1] as bytes of the same shape; what is outside is cut off."""
    return np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def tile(images: NDArray[Any], columns: int, gap: int = 1, gap_value: float = 0.15) -> Picture:
    """Pictures (N, H, W) or (N, H, W, 3) side by side, row by row, as one, (H', W') or (H', W', 3).

    H' = rows · (H + gap) − gap, and likewise W'. What is left of the last row has ``gap_value``.
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
    """A picture as a trace; ``place`` may hold x0, dx, y0, dy, xaxis, yaxis.

    It is sent to the browser as one byte a number.
    """
    levels = as_bytes(picture)
    if picture.ndim == 3:
        return go.Image(z=levels, hoverinfo="skip", **place)
    return go.Heatmap(
        z=levels, zmin=0, zmax=255, colorscale=style.INK_SCALE, showscale=False, hoverinfo="skip",
        **place,
    )  # fmt: skip


def enlarged(images: NDArray[Any], times: int) -> NDArray[Any]:
    """Pictures (R, C, H, W) or (R, C, H, W, 3) with every pixel repeated ``times`` each way."""
    return images.repeat(times, 2).repeat(times, 3)

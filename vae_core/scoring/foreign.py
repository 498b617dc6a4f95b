"""Foreign images: images unlike the training data, drawn or made from test images.

They test a detector without a second data set. To add a kind, write one function and one line in
:data:`KINDS`. All images are uint8, (N, C, H, W), light on dark.
"""

import io
import zlib
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional

from vae_core.data.datasets import load_dataset
from vae_core.data.prepare import prepare
from vae_core.settings.data_sets import ImageShape

Kind = Callable[[Tensor, np.random.Generator], Tensor]
"""Function from test images to as many foreign images of the same shape."""

_CANVAS = 160
_BLUR = 8  # number of neighbouring points averaged for a smooth stroke

Draw = Callable[[ImageDraw.ImageDraw, np.random.Generator], None]


def foreign_images(kind: str, images: Tensor, seed: int = 0) -> Tensor:
    """Make foreign images of a kind, as many as ``images`` and of the same shape.

    Args:
        kind: a key of :data:`KINDS`.
        images: the model's own test images, uint8, (N, C, H, W).

    Raises:
        KeyError: if the kind does not exist.
    """
    return KINDS[kind](images, np.random.default_rng([seed, zlib.crc32(kind.encode())]))


def upscaled_digits(count: int, image_shape: ImageShape, dataset: str) -> Tensor:
    """Enlarge scikit-learn's first 8×8 test digits to the model's size, like any image file."""
    digits = load_dataset("digits").split("test")[0][:count]
    return torch.stack([_prepared(each[0].numpy(), image_shape, dataset) for each in digits])


def _prepared(grey: NDArray[np.uint8], shape: ImageShape, dataset: str | None) -> Tensor:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return prepare(file.getvalue(), "drawn.png", shape, dataset=dataset).pixels


def _noise(images: Tensor, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.integers(0, 256, images.shape, dtype=np.uint8))


def _black(images: Tensor, _: np.random.Generator) -> Tensor:
    """Black images, a kind of their own because a score may fail on black but not on white."""
    return torch.zeros_like(images)


def _white(images: Tensor, _: np.random.Generator) -> Tensor:
    return torch.full_like(images, 255)


def _constant(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Images of one colour each."""
    levels = rng.integers(0, 256, (*images.shape[:2], 1, 1), dtype=np.uint8)
    return torch.from_numpy(levels).expand_as(images)


def _stripes(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Black and white stripes in several directions, 1 pixel to a quarter of the height wide."""
    count, _, height, width = images.shape
    rows, columns = np.mgrid[:height, :width]
    slope = rng.integers(0, 4, (2, count, 1, 1))
    slope[0][slope.sum(0) == 0] = 1
    along = slope[0] * rows + slope[1] * columns
    wide = rng.integers(1, max(2, height // 4 + 1), (count, 1, 1)) * slope.max(0)
    light = (along + rng.integers(0, height, (count, 1, 1))) // wide % 2
    return torch.from_numpy(255 * light.astype(np.uint8))[:, None].expand_as(images)


def _inverted(images: Tensor, _: np.random.Generator) -> Tensor:
    return 255 - images


def _rotated(images: Tensor, _: np.random.Generator) -> Tensor:
    """Images rotated by 90 degrees, or 180 if not square. A rotated 0 still looks like a 0."""
    is_square = images.shape[-2] == images.shape[-1]
    return images.rot90(1 if is_square else 2, (-2, -1))


def _permuted(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Images with permuted pixels, each by another permutation: the same ink without a shape.

    The channels of a pixel stay together.
    """
    flat = images.flatten(2)
    places = np.tile(np.arange(flat.shape[-1]), (len(flat), 1))
    order = torch.from_numpy(rng.permuted(places, axis=1))[:, None]
    return flat.gather(-1, order.expand_as(flat)).view(images.shape)


def _scribbles(images: Tensor, rng: np.random.Generator) -> Tensor:
    return _drawings(images, rng, _scribble)


def _shirts(images: Tensor, rng: np.random.Generator) -> Tensor:
    return _drawings(images, rng, _shirt)


def _drawings(images: Tensor, rng: np.random.Generator, draw: Draw) -> Tensor:
    """Draw large images, then prepare each for the model like any image file."""
    count, *shape = images.shape
    made = []
    for _ in range(count):
        canvas = Image.new("L", (_CANVAS, _CANVAS))
        draw(ImageDraw.Draw(canvas), rng)
        made.append(_prepared(np.asarray(canvas), (shape[0], shape[1], shape[2]), None))
    return torch.stack(made)


def _scribble(canvas: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Draw one line that connects 12 to 24 random points."""
    corners = rng.uniform(0.1, 0.9, (rng.integers(12, 25), 2)) * _CANVAS
    dense = np.repeat(corners, _BLUR, axis=0)
    smooth = [np.convolve(axis, np.ones(_BLUR) / _BLUR, "valid") for axis in dense.T]
    points = [(float(x), float(y)) for x, y in zip(*smooth, strict=True)]
    canvas.line(points, fill=255, width=int(rng.integers(5, 12)), joint="curve")


def _shirt(canvas: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Draw a shirt with a body, two sleeves and a neck, in a random grey."""
    body, sleeve = rng.uniform(0.17, 0.24), rng.uniform(0.1, 0.2)
    cuff, hem = rng.uniform(0.3, 0.85), rng.uniform(0.8, 0.95)
    right = [(0.08, 0.1), (body, 0.12), (body + sleeve, cuff), (body + 0.6 * sleeve, cuff + 0.06),
             (body, 0.4), (body + rng.uniform(-0.02, 0.03), hem)]  # fmt: skip
    left = [(-x, y) for x, y in reversed(right)]
    outline = [((0.5 + x) * _CANVAS, y * _CANVAS) for x, y in right + left]
    canvas.polygon(outline, fill=int(rng.integers(130, 256)))
    neck = [0.42 * _CANVAS, 0.04 * _CANVAS, 0.58 * _CANVAS, rng.uniform(0.14, 0.22) * _CANVAS]
    canvas.ellipse(neck, fill=0)


def _blurred(images: Tensor, _: np.random.Generator) -> Tensor:
    """Images out of focus: a Gaussian blur of a sixteenth of the shorter side, 1 pixel at least."""
    channels, height, width = images.shape[1:]
    sigma = max(1.0, min(height, width) / 16)
    places = torch.arange(-round(3 * sigma), round(3 * sigma) + 1)
    weights = torch.softmax(-0.5 * (places / sigma) ** 2, 0)
    blurred = images.float()
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        kernel = weights.view(shape).expand(channels, -1, -1, -1)
        side = len(places) // 2
        edges = (0, 0, side, side) if shape[2] == -1 else (side, side, 0, 0)
        wider = functional.pad(blurred, edges, "replicate")
        blurred = functional.conv2d(wider, kernel, groups=channels)
    return blurred.round().clamp(0, 255).to(torch.uint8)


KINDS: Mapping[str, Kind] = {
    "noise": _noise,
    "black": _black,
    "white": _white,
    "constant": _constant,
    "stripes": _stripes,
    "inverted": _inverted,
    "rotated": _rotated,
    "permuted": _permuted,
    "scribbles": _scribbles,
    "shirts": _shirts,
    "blurred": _blurred,
}

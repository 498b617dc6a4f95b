"""Photographs of handwritten digits as a telephone takes them, made from real images of digits.

A digit is drawn in dark pen on a sheet of paper, off the centre and slightly turned. A lamp lights
the sheet unevenly. A tilted camera photographs it, with blur and noise. The JPEG may be turned on
its side, and says so in its EXIF data.
"""

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFilter
from PIL.Image import Resampling, Transform

_SHEET = (900, 1200)  # width, height
_SLANT = 0.06  # largest shift of a corner, as a share of the side
_TURN = 8  # largest rotation, in degrees
_ON_ITS_SIDE = {1: 0, 3: 180, 6: 90, 8: 270}  # EXIF orientation: how the camera was turned

Field = NDArray[np.floating]


def photograph(digit: NDArray[np.uint8], seed: int) -> bytes:
    """Make a JPEG of a digit in pen on paper, from its image, uint8 (28, 28), light on dark."""
    rng = np.random.default_rng(seed)
    ink = _drawn(digit, rng)
    colour = np.array([rng.uniform(0.05, 0.2), rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.45)])
    paper = rng.uniform(0.75, 0.97) * np.array([1.0, 0.99, rng.uniform(0.9, 1.0)])
    grain = 1 + 0.02 * _noise(rng, 3)
    sheet = (paper * (1 - ink[..., None]) + colour * ink[..., None]) * grain[..., None]
    lit = sheet * _light(rng)[..., None]
    seen = np.asarray(_slanted(lit, rng), np.float32) / 255
    seen = seen + rng.normal(0, rng.uniform(0.01, 0.03), seen.shape)
    return _file(np.rint(seen.clip(0, 1) * 255).astype(np.uint8), rng)


def _drawn(digit: NDArray[np.uint8], rng: np.random.Generator) -> Field:
    """Amount of ink at each place of the sheet, 0 to 1, with edges as sharp as a pen's."""
    size = int(rng.uniform(0.3, 0.6) * _SHEET[0])
    large = Image.fromarray(digit).resize((size, size), Resampling.BICUBIC)
    large = large.filter(ImageFilter.GaussianBlur(size / 28 / 3))
    turned = large.rotate(rng.uniform(-_TURN, _TURN), Resampling.BICUBIC)
    sheet = Image.new("L", _SHEET)
    room = [side - size for side in _SHEET]
    sheet.paste(turned, (int(rng.uniform(0, room[0])), int(rng.uniform(0, room[1]))))
    grey = np.asarray(sheet, np.float32) / 255
    edge = 10 * (grey - 0.45) + 0.5
    return edge.clip(0, 1) * (1 - 0.15 * np.abs(_noise(rng, 6)).clip(0, 1))


def _light(rng: np.random.Generator) -> Field:
    """Light from one side; in half of the cases a hand or telephone casts a shadow on a corner."""
    down, right = np.mgrid[0 : 1 : _SHEET[1] * 1j, 0 : 1 : _SHEET[0] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    along = (right - 0.5) * np.cos(angle) + (down - 0.5) * np.sin(angle)
    light = 1 - rng.uniform(0.1, 0.45) * (along + 0.5)
    if rng.random() < 0.5:
        away = np.hypot(right - rng.integers(0, 2), down - rng.integers(0, 2))
        light *= 1 - rng.uniform(0.1, 0.3) / (1 + np.exp(12 * (away - rng.uniform(0.3, 0.7))))
    return light.astype(np.float32)


def _slanted(sheet: Field, rng: np.random.Generator) -> Image.Image:
    """Picture of the sheet by a tilted camera, slightly out of focus."""
    width, height = _SHEET
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    inwards = np.abs(rng.uniform(0, _SLANT, (4, 2))) * [width, height]
    inside = corners + inwards * np.where(corners > 0, -1, 1)
    picture = Image.fromarray(np.rint(sheet.clip(0, 1) * 255).astype(np.uint8))
    seen = picture.transform(
        _SHEET, Transform.PERSPECTIVE, _perspective(corners, inside), Resampling.BICUBIC
    )
    return seen.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))


def _perspective(corners: NDArray[np.float64], seen: NDArray[np.float64]) -> list[float]:
    """The eight numbers of the projection that maps ``corners`` to ``seen``, (4, 2) each."""
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, seen, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.linalg.solve(np.array(rows), np.array(values)).tolist()


def _noise(rng: np.random.Generator, pixels: float) -> Field:
    """Smooth noise of standard deviation 1 over the sheet, with grains of ``pixels`` pixels."""
    size = (int(_SHEET[1] / pixels), int(_SHEET[0] / pixels))
    coarse = Image.fromarray(rng.normal(size=size).astype(np.float32))
    return np.asarray(coarse.resize(_SHEET, Resampling.BILINEAR))


def _file(pixels: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    orientation = int(rng.choice(list(_ON_ITS_SIDE)))
    kept = Image.fromarray(pixels).rotate(_ON_ITS_SIDE[orientation], expand=True)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    kept.save(file, "JPEG", quality=int(rng.integers(70, 95)), exif=exif)
    return file.getvalue()


def first_of_each(labels: torch.Tensor, count: int) -> list[int]:
    """Indices of the first ``count`` images of every class."""
    return [int(index) for y in range(10) for index in torch.nonzero(labels == y)[:count].flatten()]

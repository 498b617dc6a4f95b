"""Complexity of an image: the bits that a lossless code of the image needs, as the model saw it.

A plain image is probable under almost any model, whatever it shows. The length of its code says how
plain it is. Subtracting this length leaves what the model itself knows (Serrà et al. 2020, arXiv
1909.11480). Several coders are tried. The length is that of the shortest code, plus the number that
names the coder. It is an upper bound of the Kolmogorov complexity; no single coder is best for
strokes, stripes and noise alike. One coder for binary images is CCITT Group 4, the standard for
bilevel pages: on handwriting it is a third shorter than the other coders of Pillow and Python.
DEFLATE and LZMA find repetition, and a plain copy bounds noise. Colours have the coders of PNG and
of lossless WebP too, which predict a pixel from its neighbours, and WebP a channel from another. No
code includes a file header.
"""

import io
import lzma
import math
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from vae_core.scoring.figures.base import Figure

Pixels = NDArray[np.uint8]
Coder = Callable[[Pixels], int]
"""Function from an image (rows, columns) to the length of its code in bytes.

The channels of an image stand below each other."""

_STRIP_BYTE_COUNTS = 279  # a field of TIFF
_GROUP_4_END = 3  # bytes, the same at the end of every image
_PNG_HEADER = 8  # bytes; each chunk has 12 more besides its content
_WEBP_HEADER = 20  # bytes before the code itself, of which the last four are its length
_COLOURS = 3
_LZMA = [{"id": lzma.FILTER_LZMA1, "dict_size": 4096, "lc": 0, "lp": 0, "pb": 0}]


def code_length(x: Tensor) -> Tensor:
    """Compute the bits of the shortest code of each image, (B,), float64.

    They are at most the bits of a plain copy plus 3.

    Args:
        x: images, (B, C, H, W) in [0, 1]: only 0 and 1, or multiples of 1/255.
    """
    levels = (x * 255).round().to(torch.uint8).cpu().flatten(1, 2).numpy()
    coders = _COLOUR if x.shape[1] == _COLOURS else _GREY
    return torch.tensor([_shortest(each, coders) for each in levels], dtype=torch.float64)


def complexity_corrected(log_px: Tensor, code_bits: Tensor) -> Tensor:
    """−log₂ p̂(x) − the bits of a lossless code (Serrà et al. 2020, arXiv 1909.11480), in bits.

    High if the model needs more bits than the code does. For a density of grey levels the value is
    defined up to a constant, which is the same for all images.

    Args:
        log_px: in nats, any shape. It is rounded to float32, as in the file of a calibration, so
            that equal images have equal scores whether they come from a file or not.
        code_bits: of the same shape.
    """
    return -log_px.float().double() / math.log(2) - code_bits


FIGURE = Figure(
    "complexity_corrected",
    "complexity-corrected score",
    "bits",
    lambda images: complexity_corrected(images.log_px, images.code_bits),
    short="complexity-corrected",
)


def _shortest(levels: Pixels, for_levels: Sequence[Coder]) -> float:
    binary = bool(np.isin(levels, (0, 255)).all())
    coders = _BINARY if binary else for_levels
    pixels = levels // 255 if binary else levels
    return 8 * min(coder(pixels) for coder in coders) + math.ceil(math.log2(len(coders)))


def _packed(pixels: Pixels) -> Pixels:
    """Pack eight binary pixels into a byte; each row begins a new byte."""
    return np.packbits(pixels, axis=1)


def _copied(pixels: Pixels) -> int:
    return pixels.size


def _deflated(pixels: Pixels) -> int:
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    return len(coder.compress(pixels.tobytes()) + coder.flush())


def _lzma(pixels: Pixels) -> int:
    return len(lzma.compress(pixels.tobytes(), lzma.FORMAT_RAW, filters=_LZMA))


def _group_4(pixels: Pixels) -> int:
    """Length of the ITU-T T.6 code, made by Pillow's libtiff, without the TIFF container."""
    file = io.BytesIO()
    Image.fromarray(pixels == 0).save(file, "TIFF", compression="group4")
    with Image.open(file) as page:
        return sum(page.tag_v2[_STRIP_BYTE_COUNTS]) - _GROUP_4_END  # type: ignore[attr-defined]


def _colour_picture(pixels: Pixels) -> Image.Image:
    """Put the three channels, which stand below each other, into one picture."""
    return Image.fromarray(np.stack(np.split(pixels, _COLOURS), -1))


def _png(pixels: Pixels) -> int:
    """Length of the content of the IDAT chunks: filtered rows, deflated."""
    file = io.BytesIO()
    _colour_picture(pixels).save(file, "PNG", optimize=True)
    content, at, length = file.getvalue(), _PNG_HEADER, 0
    while at < len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        length += size if kind == b"IDAT" else 0
        at += size + 12
    return length


def _webp(pixels: Pixels) -> int:
    """Length of the lossless code, as the file states it."""
    file = io.BytesIO()
    _colour_picture(pixels).save(file, "WEBP", lossless=True, quality=100, method=4)
    return int.from_bytes(file.getvalue()[_WEBP_HEADER - 4 : _WEBP_HEADER], "little")


def _differences(pixels: Pixels) -> Pixels:
    """Differences to the row above, modulo 256 (modulo 2 for bits): the PNG filter "up"."""
    return np.diff(pixels, axis=0, prepend=np.zeros_like(pixels[:1]))


_BINARY: Sequence[Coder] = (
    lambda pixels: _copied(_packed(pixels)),
    lambda pixels: _deflated(_packed(pixels)),
    lambda pixels: _deflated(_packed(pixels.T)),
    lambda pixels: _deflated(_packed(_differences(pixels) & np.uint8(1))),
    lambda pixels: _lzma(_packed(pixels)),
    _group_4,
)
_GREY: Sequence[Coder] = (
    _copied,
    _deflated,
    lambda pixels: _deflated(_differences(pixels)),
    lambda pixels: _deflated(_differences(pixels.T)),
    _lzma,
)
_COLOUR: Sequence[Coder] = (*_GREY, _png, _webp)

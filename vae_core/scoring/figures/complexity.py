"""How many bits a lossless coder needs for exactly the image that a model saw.

A plain image is probable under almost any model, whatever it shows. What a general coder needs for
it tells how plain it is, and taking that off leaves what the model itself knows (Serrà et al. 2020,
arXiv 1909.11480). The length is that of the shortest of a few codes, and of the number that says
which: a bound of the Kolmogorov complexity that no single coder reaches on strokes, stripes and
noise alike. Binary images get CCITT Group 4, the standard for bilevel pages, which of Pillow's and
Python's coders is the shortest on handwriting by a third; DEFLATE and LZMA find repetition, and a
plain copy bounds noise. None carries a file's header.
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
"""From an image (rows, columns) to the bytes of its code."""

_STRIP_BYTE_COUNTS = 279  # a field of TIFF
_GROUP_4_END = 3  # bytes, the same at the end of every image
_LZMA = [{"id": lzma.FILTER_LZMA1, "dict_size": 4096, "lc": 0, "lp": 0, "pb": 0}]


def code_length(x: Tensor) -> Tensor:
    """Bits of the shortest code of each image, (B,), float64, at most those of a plain copy and 3.

    Args:
        x: images, (B, C, H, W) in [0, 1]: 0 and 1 alone, or multiples of 1/255.
    """
    levels = (x * 255).round().to(torch.uint8).cpu().flatten(1, 2).numpy()
    return torch.tensor([_shortest(each) for each in levels], dtype=torch.float64)


def complexity_corrected(log_px: Tensor, code_bits: Tensor) -> Tensor:
    """−log₂ p̂(x) − the bits of a lossless code (Serrà et al. 2020, arXiv 1909.11480), in bits.

    High where the model needs more bits than its image is complex. For a density of grey levels it
    holds up to a constant, the same for all images.

    Args:
        log_px: in nats, any shape; ``code_bits`` of the same.
    """
    return -log_px / math.log(2) - code_bits


FIGURE = Figure(
    "complexity_corrected",
    "complexity-corrected score",
    "bits",
    lambda images: complexity_corrected(images.log_px, images.code_bits),
    short="complexity-corrected",
)


def _shortest(levels: Pixels) -> float:
    binary = bool(np.isin(levels, (0, 255)).all())
    coders = _BINARY if binary else _GREY
    pixels = levels // 255 if binary else levels
    return 8 * min(coder(pixels) for coder in coders) + math.ceil(math.log2(len(coders)))


def _packed(pixels: Pixels) -> Pixels:
    """Eight pixels a byte, each row beginning a new one."""
    return np.packbits(pixels, axis=1)


def _copied(pixels: Pixels) -> int:
    return pixels.size


def _deflated(pixels: Pixels) -> int:
    coder = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    return len(coder.compress(pixels.tobytes()) + coder.flush())


def _lzma(pixels: Pixels) -> int:
    return len(lzma.compress(pixels.tobytes(), lzma.FORMAT_RAW, filters=_LZMA))


def _group_4(pixels: Pixels) -> int:
    """ITU-T T.6 through Pillow's libtiff, without the container."""
    file = io.BytesIO()
    Image.fromarray(pixels == 0).save(file, "TIFF", compression="group4")
    with Image.open(file) as page:
        return sum(page.tag_v2[_STRIP_BYTE_COUNTS]) - _GROUP_4_END  # type: ignore[attr-defined]


def _differences(pixels: Pixels) -> Pixels:
    """From the row above, modulo 256 and for bits modulo 2: PNG's filter "up"."""
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

"""Small pictures of a data set's images, cheap enough to send hundreds or thousands of them."""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.figures.pictures import Picture, as_bytes, as_picture, tile
from app.services.byte_cache import cached
from app.services.latent import _BY_VIEW, View

MOST_BYTES = 560_000
"""Most bytes of an atlas as a file; as text in a message it takes a third more."""
_SIDES = (28, 20, 16, 12, 8)  # of an image on an atlas, tried until the atlas is small enough
_ATLAS_QUALITY = 30
_BLOCK = 500  # images of full size in memory at once
_SHEET_SIDE = 40


@dataclass(frozen=True)
class Atlas:
    """Many small pictures in one, row by row.

    Attributes:
        source: the picture as a data URL.
        columns: pictures in a row.
        width, height: pixels of each picture.
    """

    source: str
    columns: int
    width: int
    height: int


@cached(max_entries=8, hash_funcs=_BY_VIEW)
def atlas(view: View, index: NDArray[np.intp]) -> Atlas:
    """Put these images of the split, (N,), on one picture of at most ``MOST_BYTES``."""
    images = view.data.split(view.split)[0].numpy()
    blocks = (index[i : i + _BLOCK] for i in range(0, len(index), _BLOCK))
    small = np.concatenate([_reduced(as_picture(images[some]), _SIDES[0]) for some in blocks])
    columns = math.ceil(math.sqrt(len(small)))
    content, width, height = b"", 0, 0
    for side in _SIDES:
        small = _reduced(small, side)
        height, width = small.shape[1:3]
        content = _webp(tile(small, columns, gap=0), _ATLAS_QUALITY)
        if len(content) <= MOST_BYTES:
            break
    return Atlas(_url(content, "webp"), columns, width, height)


def source(view: View, index: int) -> str:
    """A picture of an image of the split as a data URL, at most 40 pixels wide and high."""
    images, _ = view.data.split(view.split)
    picture = _reduced(as_picture(images[index : index + 1].numpy()), _SHEET_SIDE)[0]
    out = io.BytesIO()
    Image.fromarray(as_bytes(picture)).save(out, "PNG")
    return _url(out.getvalue(), "png")


def _reduced(images: Picture, side: int) -> Picture:
    """Reduce pictures (N, H, W) or (N, H, W, 3) so that their longer side is at most ``side``."""
    height, width = images.shape[1:3]
    share = side / max(height, width)
    if share >= 1:
        return images
    size = max(1, round(width * share)), max(1, round(height * share))
    small = [Image.fromarray(as_bytes(each)).resize(size, Image.Resampling.BOX) for each in images]
    return np.array([np.asarray(each) for each in small], np.float32) / np.float32(255)


def _webp(picture: Picture, quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(as_bytes(picture)).save(out, "WEBP", quality=quality, method=0)
    return out.getvalue()


def _url(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"

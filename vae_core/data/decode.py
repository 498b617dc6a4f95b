"""Decode image files of any common format to grey levels in [0, 1], and record every step.

The size and the header of a file are checked before the file is unpacked. Every kind of bad file
raises an :class:`ImageError` with one sentence.
"""

import errno
import io
import math
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from vae_core.basics.text import printable
from vae_core.data.picture import (
    WORKING_SIDE,
    Grey,
    ImageError,
    Levels,
    Step,
    to_colour,
    to_grey,
)

T = TypeVar("T")

_AVIF = ("AVIF",) if find_spec("PIL.AvifImagePlugin") else ()  # not in old versions of Pillow
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM", *_AVIF)
"""Formats that Pillow reads by itself; HEIC is read too."""
MAX_BYTES = 20_000_000
MAX_PIXELS = 40_000_000
MIN_SIDE = 4
_BIG = 4_000_000  # pixels; pictures with more are decoded one at a time
_MOST_A_BYTE = 10_000  # pixels of a big WebP for each byte; a photograph has less than a hundred

_KNOWN = "PNG, JPEG, WebP, HEIC, AVIF, BMP, TIFF, GIF, PGM or PPM"
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8")
_TIFF = (b"II*\0", b"MM\0*")
_turn_of_big = threading.Lock()

# Pillow warns of decompression bombs and odd metadata; this module handles both itself. Warning
# filters belong to the whole process, so the filter is set once: changing it around each image
# would change it for other threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


def decode(data: bytes | Path, filename: str) -> tuple[Grey, list[Step]]:
    """Decode the first frame of an image file, upright, to grey levels; record the steps.

    Args:
        data: the file's bytes or path.
        filename: name of the file in error messages.

    Returns:
        float32 in [0, 1], shape (H, W), where 0 is black; at most 1024 pixels on each side. And
        the steps.

    Raises:
        ImageError: if the file is not a readable image, or the image is too large or too small.
    """
    return _decoded(data, filename, to_grey)


def decode_colour(data: bytes | Path, filename: str) -> tuple[Levels, list[Step]]:
    """Decode the first frame of an image file, upright, to colours; record the steps.

    Returns:
        uint8, shape (H, W, 3); at most 1024 pixels on each side. And the steps.

    Raises:
        ImageError: as for :func:`decode`.
    """
    return _decoded(data, filename, to_colour)


def _decoded(
    data: bytes | Path, filename: str, convert: Callable[[Image.Image, tuple[int, int], str], T]
) -> T:
    name = short_name(filename)
    with opened(read_bytes(data, name), name, alone=True) as (image, size):
        _read_reduced(image)
        return convert(image, size, name)


@contextmanager
def opened(
    content: bytes, name: str, *, alone: bool = False
) -> Iterator[tuple[Image.Image, tuple[int, int]]]:
    """Open an image file whose stated size is checked first; give it with its width and height.

    Args:
        alone: let no other big picture be decoded while this one is open, if it is big.

    Raises:
        ImageError: if the file is not a readable image, or the image is too large or too small;
            also for any error of the decoder while the file is open.
    """
    try:
        size = _size(content)
        check_size(size, name)
        if _is_webp(content) and _BIG < size[0] * size[1] > _MOST_A_BYTE * len(content):
            raise ImageError(_empty_webp(size, name))
        with turn_of(size) if alone else nullcontext(), _opened(content) as image:
            check_size(image.size, name)
            yield image, size
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(_not_an_image(content, name)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(_too_large(name)) from error
    except Exception as error:  # decoders raise errors of any kind for bad files
        raise ImageError(_damaged(name)) from error


def turn_of(size: tuple[int, int]) -> AbstractContextManager[object]:
    """Wait, for a big picture, until no other big picture is being decoded."""
    return _turn_of_big if size[0] * size[1] > _BIG else nullcontext()


def stated_size(content: bytes, filename: str) -> tuple[int, int]:
    """Return the height and the width that an image file states, without decoding it.

    Raises:
        ImageError: if the file is not an image, or the image is too large or too small.
    """
    name = short_name(filename)
    if not content:
        raise ImageError(_empty(name))
    try:
        width, height = _size(content)
    except UnidentifiedImageError as error:
        raise ImageError(_not_an_image(content, name)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(_too_large(name)) from error
    except Exception as error:  # decoders raise errors of any kind for bad files
        raise ImageError(_damaged(name)) from error
    check_size((width, height), name)
    return height, width


def read_bytes(data: bytes | Path, name: str) -> bytes:
    """Read the bytes of a file that may be an image.

    Raises:
        ImageError: if the file is empty, too large, or cannot be read.
    """
    try:
        size = size_of(data)
        if size > MAX_BYTES:
            raise ImageError(
                f"{name} has {size / 1e6:.0f} MB, at most {MAX_BYTES / 1e6:.0f} MB are read; "
                "save it smaller."
            )
        content = data.read_bytes() if isinstance(data, Path) else data
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{name} cannot be opened ({reason}); check its path.") from error
    if not content:
        raise ImageError(_empty(name))
    return content


def size_of(data: bytes | Path) -> int:
    """Return the size of bytes or of a file.

    Raises:
        OSError: if the path cannot be accessed or is not a regular file (a pipe may never end).
    """
    if not isinstance(data, Path):
        return len(data)
    about = data.stat()
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, "it is a folder, a pipe or a device")
    return about.st_size


def short_name(filename: str) -> str:
    """Return the last part of a path, short enough for a sentence."""
    return printable(PurePath(filename.replace("\\", "/")).name or filename, 80)


def _is_webp(content: bytes) -> bool:
    return (content[:4], content[8:12]) == (b"RIFF", b"WEBP")


def _size(content: bytes) -> tuple[int, int]:
    """Return the width and the height that a file states, without decoding it.

    Pillow takes memory for all pixels of a WebP as soon as it opens the file.
    """
    if not _is_webp(content):
        with _opened(content) as image:
            return image.size
    kind, header = content[12:16], content[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return 1 + int.from_bytes(header[4:7], "little"), 1 + int.from_bytes(header[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(header[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = (int.from_bytes(header[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width or MIN_SIDE, height or MIN_SIDE  # damaged if 0, which the decoder finds


def _opened(content: bytes) -> Image.Image:
    formats = FORMATS
    if content[4:8] == b"ftyp":  # HEIC, AVIF or a video
        _learn_heic()
        formats = (*FORMATS, "HEIF")
    return Image.open(io.BytesIO(content), formats=formats)


@cache
def _learn_heic() -> None:
    """Tell Pillow how to read HEIC, when the first such file comes."""
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False)


def _read_reduced(image: Image.Image) -> None:
    """Load a picture; a JPEG at a half, a quarter or an eighth of its size if that is enough."""
    share = min(1.0, 2 * WORKING_SIDE / max(image.size))
    image.draft(None, (math.ceil(share * image.width), math.ceil(share * image.height)))
    image.load()


def check_size(size: tuple[int, int], name: str) -> None:
    """Check the width and the height of an image.

    Raises:
        ImageError: if there are too many pixels, or too few.
    """
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageError(_too_large(name, f"{width:,}×{height:,} pixels"))
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} has only {width}×{height} pixels, at least {MIN_SIDE}×{MIN_SIDE} are needed; "
            "give a larger picture."
        )


def _too_large(name: str, size: str = "far too many pixels") -> str:
    return f"{name} has {size}, at most {MAX_PIXELS / 1e6:.0f} million are read; save it smaller."


def _empty_webp(size: tuple[int, int], name: str) -> str:
    return (
        f"{name} states {size[0]:,}×{size[1]:,} pixels, far more than its few bytes can describe; "
        "save it again, or smaller."
    )


def _empty(name: str) -> str:
    return f"{name} is empty; save it or send it again."


def _damaged(name: str) -> str:
    return f"{name} is damaged or cut off and cannot be decoded; save it or send it again."


def _not_an_image(content: bytes, name: str) -> str:
    if content.startswith(_SIGNATURES) or _is_webp(content):
        return _damaged(name)
    if content[4:8] == b"ftyp":
        return (
            f"{name} is a video, or a HEIC or AVIF photograph of a kind that cannot be read here; "
            "save it as JPEG."
        )
    if content.startswith(_TIFF):
        return (
            f"{name} is damaged, or a TIFF with pixels of a kind that cannot be read here; save it "
            "as PNG."
        )
    if content.startswith(b"\x93NUMPY") or _is_numpy_archive(content):
        return f"{name} holds NumPy arrays, not an image; save each image in it as {_KNOWN}."
    if content.startswith(b"PK\x03\x04"):
        return f"{name} is an archive, not an image; unpack it and use the images in it."
    return f"{name} is not an image that can be read here; save it as {_KNOWN}."


def _is_numpy_archive(content: bytes) -> bool:
    """Whether this is a .npz file: a .zip archive whose first file is an array."""
    length = int.from_bytes(content[26:28], "little")  # of the first file's name
    return content.startswith(b"PK\x03\x04") and content[30 : 30 + length].endswith(b".npy")

"""Decode image files of any common format to grey levels in [0, 1], and record every step.

The size and the header of a file are checked before the file is unpacked. Every kind of bad file
raises an :class:`ImageError` with one sentence.
"""

import errno
import io
import math
import stat
import struct
import threading
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.Image import Resampling

from vae_core.basics.errors import UserError
from vae_core.basics.text import printable

Grey = NDArray[np.float32]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
MAX_BYTES = 20_000_000
MAX_PIXELS = 40_000_000
MIN_SIDE = 4
WORKING_SIDE = 1024
"""Larger pictures are first reduced to this many pixels on the longer side."""
SHOWN_SIDE = 256
_BIG = 4_000_000  # pixels; pictures with more are decoded one at a time
_MOST_A_BYTE = 10_000  # pixels of a big WebP for each byte; a photograph has less than a hundred
_BAND = 1_000_000  # pixels that are reduced at once

_DEEPEST = 65_535  # the largest level of 16 bits
_KNOWN = "PNG, JPEG, WebP, BMP, TIFF or GIF"
_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8")
_TIFF = (b"II*\0", b"MM\0*")
_turn_of_big = threading.Lock()

# Pillow warns of decompression bombs and odd metadata; this module handles both itself. Warning
# filters belong to the whole process, so the filter is set once: changing it around each image
# would change it for other threads.
warnings.filterwarnings("ignore", module=r"PIL\.")


class ImageError(UserError, ValueError):
    """A file cannot be read as an image; the message says what to do."""


@dataclass(frozen=True)
class Step:
    """One step from a file to the model's pixels.

    Attributes:
        name: one or two words.
        reason: one sentence that says what was done, or not done, and why.
        image: the picture after the step; uint8, shape (h, w) or (h, w, 3), reduced to at most 256
            pixels on each side.
        changed: whether the step did anything.
    """

    name: str
    reason: str
    image: NDArray[np.uint8]
    changed: bool = True


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
    name = short_name(filename)
    content = read_bytes(data, name)
    try:
        size = _size(content)
        _check_size(size, name)
        if _is_webp(content) and _BIG < size[0] * size[1] > _MOST_A_BYTE * len(content):
            raise ImageError(_empty_webp(size, name))
        with (
            _turn_of_big if size[0] * size[1] > _BIG else nullcontext(),
            Image.open(io.BytesIO(content), formats=FORMATS) as image,
        ):
            _check_size(image.size, name)
            _read_reduced(image)
            return _to_grey(image, size, name)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(_not_an_image(content, name)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(_too_large(name)) from error
    except Exception as error:  # decoders raise errors of any kind for bad files
        raise ImageError(_damaged(name)) from error


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
        raise ImageError(f"{name} is empty; save it or send it again.")
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


def shown(picture: Image.Image | Grey) -> NDArray[np.uint8]:
    """Convert a picture to the form that :class:`Step` stores."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if image.mode not in ("L", "RGB", "RGBA", "F"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if max(image.size) > SHOWN_SIDE:
        scale = SHOWN_SIDE / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Resampling.BOX)
    if image.mode == "RGBA":
        grey = Image.new("RGBA", image.size, "grey")
        image = Image.alpha_composite(grey, image).convert("RGB")
    pixels = np.asarray(image)
    return np.rint(pixels * 255).astype(np.uint8) if image.mode == "F" else pixels


def _is_webp(content: bytes) -> bool:
    return (content[:4], content[8:12]) == (b"RIFF", b"WEBP")


def _size(content: bytes) -> tuple[int, int]:
    """Return the width and the height that a file states, without decoding it.

    Pillow takes memory for all pixels of a WebP as soon as it opens the file.
    """
    if not _is_webp(content):
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return image.size
    kind, header = content[12:16], content[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return 1 + int.from_bytes(header[4:7], "little"), 1 + int.from_bytes(header[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(header[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = (int.from_bytes(header[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width or MIN_SIDE, height or MIN_SIDE  # damaged if 0, which the decoder finds


def _read_reduced(image: Image.Image) -> None:
    """Load a picture; a JPEG at a half, a quarter or an eighth of its size if that is enough."""
    share = min(1.0, 2 * WORKING_SIDE / max(image.size))
    image.draft(None, (math.ceil(share * image.width), math.ceil(share * image.height)))
    image.load()


def _reduced(size: tuple[int, int], band: Callable[[int, int], Image.Image]) -> Image.Image | None:
    """Reduce a picture with very many pixels to about twice the working size, band by band.

    Args:
        size: of the picture.
        band: its rows from the first number up to the second.

    Returns:
        The means of squares of pixels; None if the picture is small enough.
    """
    width, height = size
    factor = max(size) // (2 * WORKING_SIDE)
    if factor < 2:
        return None
    rows = factor * max(1, _BAND // (factor * width))
    parts = [band(top, min(height, top + rows)).reduce(factor) for top in range(0, height, rows)]
    whole = Image.new(parts[0].mode, (parts[0].width, sum(part.height for part in parts)))
    for number, part in enumerate(parts):
        whole.paste(part, (0, number * rows // factor))
    return whole


def _without_palette(image: Image.Image) -> Image.Image:
    """Convert a picture to a mode in which the mean of two pixels is a colour between them."""
    if image.mode != "LA" and image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert({"1": "L", "P": "RGB"}.get(image.mode, image.mode))


def _to_grey(image: Image.Image, size: tuple[int, int], name: str) -> tuple[Grey, list[Step]]:
    frame = ", the first frame of several" if getattr(image, "is_animated", False) else ""
    about = f"{image.format}, {size[0]}×{size[1]} pixels, {_kind(image)}{frame}."
    deep, depth = _without_depth(image, name)
    steps = [Step("Opened", about, shown(deep))]
    upright = _upright(deep, image)
    if upright is not deep:
        reason = "The camera recorded that it was turned; the picture was turned upright."
        steps.append(Step("Turned upright", reason, shown(upright)))
    opaque, reason = _without_alpha(upright)
    if reason:
        steps.append(Step("Transparency", reason, shown(opaque)))
    pixels, reason = _grey_levels(opaque)
    reason = (depth + reason).strip()
    steps.append(Step("Grey levels", reason or "They are kept.", shown(pixels), bool(reason)))
    return pixels, steps


_KINDS = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "palette",
    "PA": "palette with transparency",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "CMYK": "colour for print (CMYK)",
    "YCbCr": "colour",
    "F": "floating-point grey",
    "I": "32-bit grey",
}


def _kind(image: Image.Image) -> str:
    return "16-bit grey" if image.mode.startswith("I;16") else _KINDS.get(image.mode, image.mode)


def _without_depth(image: Image.Image, name: str) -> tuple[Image.Image, str]:
    """Convert grey of more than 8 bits to mode "F" in [0, 1]; explain how. Keep other images.

    Cameras use 10, 12 or 14 of 16 bits, and no header says how many. So the largest level becomes
    white, but 255 where all levels fit into 8 bits: a slightly larger level changes little.
    """
    if image.mode[0] not in "IF":
        small = _reduced(
            image.size,
            lambda top, end: _without_palette(image.crop((0, top, image.width, end))),
        )
        return small or image, ""
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise ImageError(
            f"{name} contains values that are not finite numbers (NaN or infinity); replace them "
            "and save it again."
        )
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I") and low >= 0 and high <= _DEEPEST and high != 1:
        return _of_levels(values, 0, max(high, 255)), _scale(_kind(image), high)
    if image.mode == "F" and low >= 0 and high <= 1:
        return _of_levels(values, 0, 1), ""
    reason = f"Its values {low:g} to {high:g} became black to white. "
    return _of_levels(values, low, (high - low) or 1), reason


def _of_levels(values: Grey, low: float, spread: float) -> Image.Image:
    """A picture of (values − low) / spread, reduced if it has very many pixels."""

    def band(top: int, end: int) -> Image.Image:
        levels = (values[top:end].astype(np.float64) - low) / spread
        return Image.fromarray(levels.astype(np.float32))

    height, width = values.shape
    return _reduced((width, height), band) or band(0, height)


def _scale(kind: str, high: float) -> str:
    """Say which level of a grey image of more than 8 bits became white."""
    if high > 255:
        return f"Its {kind} levels were divided by the largest of them, {high:,.0f}. "
    return f"Its {kind} has only levels 0 to {high:.0f}, so 255 was taken for white. "


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(picture: Image.Image, source: Image.Image) -> Image.Image:
    try:
        orientation = source.getexif().get(ExifTags.Base.Orientation)
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, struct.error):
        return picture  # ignore broken metadata: the pixels are fine
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return picture if turn is None else picture.transpose(turn)


def _without_alpha(image: Image.Image) -> tuple[Image.Image, str]:
    """Lay a transparent image on white, or on black if its visible part is light; explain why."""
    if image.mode == "F" or not image.has_transparency_data:
        return image, ""
    layered = image.convert("RGBA")
    least, most = layered.getchannel("A").getextrema()
    if least == 255:
        return image.convert("L" if image.mode == "LA" else "RGB"), ""
    brightness = _visible_brightness(layered)
    ground, what = ("black", "light") if brightness > 0.5 else ("white", "dark")
    whole = Image.alpha_composite(Image.new("RGBA", image.size, ground), layered).convert("RGB")
    if most == 0:
        return whole, "All of it is transparent: it was laid on white."
    reason = f"The visible part is {what} on average ({brightness:.0%}): it was laid on {ground}."
    return whole, reason


def _visible_brightness(layered: Image.Image) -> float:
    """Mean brightness in [0, 1], weighted by opacity."""
    small = layered.copy()
    small.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Resampling.BOX)
    alpha = np.asarray(small.getchannel("A"), np.float64)
    light = np.asarray(small.convert("RGB").convert("L"), np.float64) / 255
    return float((light * alpha).sum() / max(alpha.sum(), 1.0))


def _grey_levels(image: Image.Image) -> tuple[Grey, str]:
    """Convert an image to grey in [0, 1]; explain the changes."""
    done = ""
    if image.mode not in ("L", "F"):
        coloured = image.mode not in ("1", "LA")
        done = "Colours became grey by their brightness (ITU-R 601). " if coloured else ""
        image = (image.convert("RGB") if coloured else image).convert("L")
    if max(image.size) > WORKING_SIDE:
        image = image.copy()
        image.thumbnail((WORKING_SIDE, WORKING_SIDE), Resampling.HAMMING)
        done += f"Reduced to {image.width}×{image.height} pixels, enough for these models."
    pixels = np.asarray(image, np.float32)
    return (pixels / np.float32(255) if image.mode == "L" else pixels).clip(0, 1), done.strip()


def _check_size(size: tuple[int, int], name: str) -> None:
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


def _damaged(name: str) -> str:
    return f"{name} is damaged or cut off and cannot be decoded; save it or send it again."


def _not_an_image(content: bytes, name: str) -> str:
    if content.startswith(_SIGNATURES) or _is_webp(content):
        return _damaged(name)
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

"""Frames of animated and multi-page image files, each as an image file of its own.

A page of a TIFF, a frame of a GIF, WebP, PNG or AVIF animation and a picture of a HEIC collection
are frames. A frame is decoded when it is asked for, so memory holds one frame and the file.
"""

import io
from collections.abc import Iterable, Iterator

from PIL import ExifTags, Image

from vae_core.data.decode import MAX_BYTES, check_size, opened, short_name, turn_of
from vae_core.data.picture import ImageError, upright
from vae_core.settings.choices import Frames

MOST_FRAMES = 10_000
MOST_PIXELS = 400_000_000
"""Pixels that are decoded of all frames of one file."""
_IN_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # modes that a PNG keeps as they are
_REDUCED = 1  # bit of a page of a TIFF that is a smaller copy of another page
_OF_MANY_KINDS = (b"GIF8", b"II*\0", b"MM\0*", b"\x89PNG", b"RIFF")


def every_frame(
    files: Iterable[tuple[str, bytes | ImageError]],
) -> Iterator[tuple[str, bytes | ImageError]]:
    """Iterate over files and replace a file of several frames by these: ``film.gif[0]``, …"""
    for name, content in files:
        if not isinstance(content, bytes):
            yield name, content
            continue
        for index, frame in frames_of(content, name):
            yield name if index is None else f"{name}[{index}]", frame


def frames_of(content: bytes, filename: str) -> Iterator[tuple[int | None, bytes | ImageError]]:
    """Iterate over the frames of an image file, in their order.

    Yields:
        The number of a frame, from 0, and the bytes of a PNG or TIFF file with its very values; or
        why it cannot be read. The number is None, and the bytes are the given ones, for a file
        without further frames, and for one that is no image.
    """
    if not has_frames(content):
        yield None, content
        return
    name = short_name(filename)
    index = pixels = 0
    try:
        with opened(content, name) as (image, _):
            while _has_reached(image, index):
                pixels += image.width * image.height
                if index == MOST_FRAMES or pixels > MOST_PIXELS:
                    yield index, _too_many(name, index)
                    return
                if not _is_smaller_copy(image):
                    yield index, _frame(image, f"Frame {index} of {name}")
                index += 1
    except ImageError as error:
        yield index, error


def has_frames(content: bytes) -> bool:
    """Whether an image file states more than one frame. Nothing is decoded for it."""
    if content[4:8] != b"ftyp" and not content.startswith(_OF_MANY_KINDS):
        return False
    if content.startswith(b"RIFF") and not (content[12:16] == b"VP8X" and content[20] & 2):
        return False  # a WebP of one frame, of which Pillow would unpack all pixels
    if content.startswith(b"\x89PNG") and b"acTL" not in content[: content.find(b"IDAT") + 4]:
        return False
    try:
        with opened(content, "") as (image, _):
            return bool(getattr(image, "is_animated", False))
    except ImageError:
        return False


def _has_reached(image: Image.Image, index: int) -> bool:
    try:
        image.seek(index)
    except EOFError:
        return False
    return True


def _is_smaller_copy(image: Image.Image) -> bool:
    """Whether a page of a TIFF is a reduced copy of another page."""
    tags = getattr(image, "tag_v2", {})
    return bool(int(tags.get(ExifTags.Base.NewSubfileType, 0)) & _REDUCED)


def _frame(image: Image.Image, name: str) -> bytes | ImageError:
    try:
        check_size(image.size, name)
        with turn_of(image.size):
            image.load()
            content = _encoded(upright(image, image))
    except ImageError as error:
        return error
    except Exception:  # decoders raise errors of any kind for bad files
        return ImageError(f"{name} is damaged or cut off and cannot be decoded.")
    if len(content) > MAX_BYTES:
        return ImageError(
            f"{name} has {len(content) / 1e6:.0f} MB of its own, at most {MAX_BYTES / 1e6:.0f} MB "
            "are read; save it smaller."
        )
    return content


def _encoded(image: Image.Image) -> bytes:
    """Write a frame as a file that is decoded to the same values."""
    plain = image.copy()
    plain.info = {k: v for k, v in image.info.items() if k == "transparency"}
    stream = io.BytesIO()
    if plain.mode in _IN_PNG:
        plain.save(stream, "PNG", compress_level=1)
    else:
        plain.save(stream, "TIFF", compression="tiff_adobe_deflate")
    return stream.getvalue()


def _too_many(name: str, taken: int) -> ImageError:
    return ImageError(
        f"{name} has more frames than are read: the first {taken:,} were taken; at most "
        f"{MOST_FRAMES:,} frames and {MOST_PIXELS / 1e6:.0f} million pixels of a file are."
    )


def frames_sentence(files: int, frames: int, taken: Frames) -> str:
    """Say how many files have several frames, and what was taken of them."""
    which = "1 file has" if files == 1 else f"{files:,} files have"
    whose = "its" if files == 1 else "their"
    if taken == "first":
        return f"{which} several frames, and the first was taken. --frames all takes every frame."
    return f"{which} several frames: {whose} {frames:,} frames are images of their own."

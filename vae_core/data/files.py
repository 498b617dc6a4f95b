"""Read files, folders, .zip archives and arrays as a stream of (name, bytes), one at a time.

A file that cannot be read appears in the stream as an :class:`ImageError` under its name, and the
stream continues.
"""

import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vae_core.basics.text import printable
from vae_core.data.archives import Entry, iter_archive
from vae_core.data.decode import ImageError, read_bytes, short_name
from vae_core.data.frames import every_frame
from vae_core.data.listing import walk_files
from vae_core.data.sources.arrays import ArraySource
from vae_core.settings.choices import Frames
from vae_core.settings.data_sets import DataError


def iter_files(paths: Iterable[Path | str], frames: Frames = "first") -> Iterator[Entry]:
    """Iterate over files, over all files in folders and .zip archives, and over images in arrays.

    Folders are walked recursively in alphabetical order; hidden files are left out. A file is read
    only when it is reached.

    Args:
        frames: ``all`` gives every frame of an animated or multi-page file as a file of its own.

    Yields:
        The name of a file, safe to print on a terminal, with its path inside a folder or an
        archive; and its bytes or the error.
    """
    found = _every_file(paths)
    return every_frame(found) if frames == "all" else found


def _every_file(paths: Iterable[Path | str]) -> Iterator[Entry]:
    for path in map(Path, paths):
        if not path.is_dir():
            yield from _iter_file(path, str(path))
            continue
        found = False
        for inner in walk_files(path):
            found = True
            yield from _iter_file(inner, f"{path.name}/{inner.relative_to(path).as_posix()}")
        if not found:
            name = short_name(str(path))
            empty = ImageError(f"{name} is a folder without files; put images in it.")
            yield printable(str(path)), empty


def _iter_file(path: Path, name: str) -> Iterator[Entry]:
    if path.suffix.lower() in (".npy", ".npz"):
        yield from _iter_arrays(path, name)
        return
    if path.suffix.lower() == ".zip":
        for inner, content in iter_archive(path):
            yield printable(name if inner == path.name else f"{name}/{inner}"), content
        return
    try:
        yield printable(name), read_bytes(path, short_name(name))
    except ImageError as error:
        yield printable(name), error


def _iter_arrays(path: Path, name: str) -> Iterator[Entry]:
    """Iterate over the images in a NumPy file, each as the bytes of a PNG file."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            for entry in ArraySource(path, Path(scratch), also_one=True).entries():
                yield printable(f"{name}/{entry.name}"), _as_png(entry.content)
        except DataError as error:
            yield printable(name), ImageError(str(error))


def _as_png(content: bytes | ImageError | NDArray[np.uint8]) -> bytes | ImageError:
    if isinstance(content, bytes | ImageError):
        return content
    stream = io.BytesIO()
    Image.fromarray(content).save(stream, "PNG", compress_level=1)
    return stream.getvalue()

"""Images to score: uploads or examples, converted to the pixels that a model needs."""

import base64
import hashlib
import io
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.figures.pictures import as_picture
from app.parts import charts
from vae_core.data.archives import iter_archive
from vae_core.data.decode import ImageError
from vae_core.data.frames import frames_of, has_frames
from vae_core.data.prepare import Prepared, PrepareOptions, prepare
from vae_core.settings.choices import Frames
from vae_core.settings.data_sets import DatasetInfo, ImageShape

MAX_IMAGES = 10_000
"""Limit of images on the page. The command line has no limit."""
_SMALL = 80  # pixels of the longer side of a picture on the sheet
DRAWING, PHOTO, PASTED = MADE_HERE = ("your drawing", "your photo", "pasted image")
"""Names of images that do not come from a file."""


@dataclass(frozen=True)
class Upload:
    """A file as the user gave it, kept in memory only.

    Attributes:
        id: unique in the session.
    """

    id: str
    name: str
    data: bytes

    @property
    def is_archive(self) -> bool:
        """Whether the file is a .zip of images."""
        return self.name.lower().endswith(".zip") or self.data.startswith(b"PK\x03\x04")

    @cached_property
    def has_frames(self) -> bool:
        """Whether the file is an animation, or has several pages."""
        return not self.is_archive and has_frames(self.data)


@dataclass(frozen=True)
class Given:
    """An image to score, or the reason why it cannot be scored.

    Attributes:
        label: unique name of the image.
        pixels: uint8, (C, H, W), before binarisation; None if the file could not be read.
        error: why the file could not be read.
        place: position in :func:`entries`; None for an example.
        origin: the source file and its preparation, for comparison.
        small: the picture as it was given, small, as a JPEG; empty for an example.
        file: name of the file that it is a frame of; empty if it is none.
    """

    label: str
    pixels: Tensor | None = None
    error: str = ""
    place: int | None = None
    origin: Hashable = None
    small: bytes = b""
    file: str = ""

    @property
    def digest(self) -> str:
        """Digest of the pixels."""
        assert self.pixels is not None
        return hashlib.sha256(self.pixels.numpy().tobytes()).hexdigest()

    @cached_property
    def thumbnail(self) -> str:
        """A small picture as a data URL. It is kept with the image, so it is forgotten with it."""
        assert self.pixels is not None
        scale = max(1, round(64 / self.pixels.shape[-1]))
        picture = charts.png(as_picture(self.pixels), scale)
        return "data:image/png;base64," + base64.b64encode(picture).decode()

    @property
    def as_given(self) -> str:
        """A small picture before its preparation, as a data URL; of an example, the thumbnail."""
        if not self.small:
            return self.thumbnail
        return "data:image/jpeg;base64," + base64.b64encode(self.small).decode()


class SourceFile(NamedTuple):
    """A file, or the error that prevents reading it.

    Attributes:
        source: unique in the session.
        file: name of the file that it is a frame of; empty if it is none.
    """

    source: str
    name: str
    data: bytes | ImageError
    file: str = ""


def ways_of(steps: Mapping[str, Any]) -> tuple[PrepareOptions, Frames]:
    """Divide the choices of the page into steps of preparation and the frames that are taken."""
    prepared = dict(steps)
    frames: Frames = prepared.pop("frames", "first")
    return PrepareOptions(**prepared), frames


def entries(uploads: Iterable[Upload], frames: Frames = "first") -> Iterator[SourceFile]:
    """Yield every file of the uploads and of their archives, unpacked one by one.

    Args:
        frames: ``all`` gives every frame of an animated or multi-page file as a file of its own.
    """
    found = _files(uploads)
    return _every_frame(found) if frames == "all" else found


def _every_frame(files: Iterable[SourceFile]) -> Iterator[SourceFile]:
    for file in files:
        if isinstance(file.data, ImageError):
            yield file
            continue
        for i, data in frames_of(file.data, file.name):
            if i is None:
                yield file
            else:
                yield SourceFile(f"{file.source}[{i}]", f"{file.name}[{i}]", data, file.name)


def _files(uploads: Iterable[Upload]) -> Iterator[SourceFile]:
    for upload in uploads:
        if not upload.is_archive:
            yield SourceFile(upload.id, upload.name, upload.data)
            continue
        for i, (name, data) in enumerate(iter_archive(upload.data, upload.name)):
            within = name if name == upload.name else f"{upload.name}/{name}"
            yield SourceFile(f"{upload.id}/{i}", within, data)


def read(
    uploads: Iterable[Upload],
    image_shape: ImageShape,
    options: PrepareOptions,
    dataset: str | DatasetInfo,
    before: Iterable[Given] = (),
    frames: Frames = "first",
) -> Iterator[Given]:
    """Read and prepare the uploads one by one. Unreadable files come with the reason.

    Args:
        before: images read earlier. They are reused if their preparation is the same.
        frames: as for :func:`entries`.
    """
    way = image_shape, options, dataset
    known = {given.origin: given for given in before}
    seen: dict[str, int] = {}
    labels: set[str] = set()
    stream = entries(uploads, frames)
    for place, entry in enumerate(islice(stream, MAX_IMAGES)):
        label = name = entry.name
        while label in labels:
            seen[name] = seen.get(name, 1) + 1
            label = f"{name} ({seen[name]})"
        labels.add(label)
        origin = entry.source, way
        given = known.get(origin) or _given(entry, *way)
        yield replace(given, label=label, place=place, origin=origin)
    if next(stream, None) is not None:
        reason = (
            f"Only the first {MAX_IMAGES:,} images are scored here; the command line has no limit."
        )
        yield Given("The rest", error=reason)


def _given(
    entry: SourceFile, image_shape: ImageShape, options: PrepareOptions, dataset: str | DatasetInfo
) -> Given:
    try:
        prepared = _prepared(entry, image_shape, options, dataset)
        small = _small(prepared.steps[0].image)
        return Given(entry.name, prepared.pixels, small=small, file=entry.file)
    except ImageError as error:
        return Given(entry.name, error=str(error))


def _small(picture: NDArray[np.uint8]) -> bytes:
    """Shrink a picture (H, W) or (H, W, 3)."""
    image, out = Image.fromarray(picture), io.BytesIO()
    image.thumbnail((_SMALL, _SMALL))
    image.save(out, "JPEG")
    return out.getvalue()


def _prepared(
    entry: SourceFile, image_shape: ImageShape, options: PrepareOptions, dataset: str | DatasetInfo
) -> Prepared:
    if isinstance(entry.data, ImageError):
        raise entry.data
    return prepare(entry.data, entry.name, image_shape, options, dataset)


def prepared_again(
    uploads: Iterable[Upload],
    place: int,
    image_shape: ImageShape,
    options: PrepareOptions,
    dataset: str | DatasetInfo,
    frames: Frames = "first",
) -> Prepared:
    """Prepare one image again and return every step, which :func:`read` does not keep.

    Raises:
        ImageError: if the file cannot be read.
    """
    entry = next(islice(entries(uploads, frames), place, None))
    return _prepared(entry, image_shape, options, dataset)

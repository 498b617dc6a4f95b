"""What there is to score: a visitor's files, or examples, as the pixels that a model wants."""

import hashlib
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

from torch import Tensor

from vae_core.data.archives import iter_archive
from vae_core.data.decode import ImageError
from vae_core.data.prepare import Prepared, PrepareOptions, prepare
from vae_core.settings.data_sets import ImageShape

MAX_IMAGES = 10_000
"""More are left to the command line, which has no limit."""
DRAWING, PHOTO, PASTED = MADE_HERE = ("your drawing", "your photo", "pasted image")
"""What images are called that come from no file."""


@dataclass(frozen=True)
class Upload:
    """A file as it was given, in memory alone.

    Attributes:
        id: differs from that of every other upload of the session.
    """

    id: str
    name: str
    data: bytes

    @property
    def is_archive(self) -> bool:
        """Whether it is a .zip of images."""
        return self.name.lower().endswith(".zip") or self.data.startswith(b"PK\x03\x04")


@dataclass(frozen=True)
class Given:
    """An image to score, or why it cannot be.

    Attributes:
        label: its name, made unique.
        pixels: uint8, (C, H, W), before binarisation; None if it could not be read.
        error: why not.
        place: its place in :func:`entries`; None for an example.
        origin: its entry and how that was prepared.
    """

    label: str
    pixels: Tensor | None = None
    error: str = ""
    place: int | None = None
    origin: Hashable = None

    @property
    def digest(self) -> str:
        """Names the pixels."""
        assert self.pixels is not None
        return hashlib.sha256(self.pixels.numpy().tobytes()).hexdigest()


class Entry(NamedTuple):
    """A file, or why there is none.

    Attributes:
        source: differs from that of every other entry of the session.
    """

    source: str
    name: str
    data: bytes | ImageError


def entries(uploads: Iterable[Upload]) -> Iterator[Entry]:
    """Every file among the uploads and inside their archives, unpacked when its turn comes."""
    for upload in uploads:
        if not upload.is_archive:
            yield Entry(upload.id, upload.name, upload.data)
            continue
        for i, (name, data) in enumerate(iter_archive(upload.data, upload.name)):
            within = name if name == upload.name else f"{upload.name}/{name}"
            yield Entry(f"{upload.id}/{i}", within, data)


def read(
    uploads: Iterable[Upload],
    image_shape: ImageShape,
    options: PrepareOptions,
    dataset: str,
    before: Iterable[Given] = (),
) -> Iterator[Given]:
    """The uploads, prepared one by one; what cannot be read comes with the reason.

    Args:
        before: what was read already; if it was prepared in the same way, it is not read again.
    """
    way = image_shape, options, dataset
    known = {given.origin: given for given in before}
    seen: dict[str, int] = {}
    labels: set[str] = set()
    stream = entries(uploads)
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
            f"Only the first {MAX_IMAGES:,} images are scored here; the command line takes all."
        )
        yield Given("The rest", error=reason)


def _given(entry: Entry, image_shape: ImageShape, options: PrepareOptions, dataset: str) -> Given:
    try:
        return Given(entry.name, _prepared(entry, image_shape, options, dataset).pixels)
    except ImageError as error:
        return Given(entry.name, error=str(error))


def _prepared(
    entry: Entry, image_shape: ImageShape, options: PrepareOptions, dataset: str
) -> Prepared:
    if isinstance(entry.data, ImageError):
        raise entry.data
    return prepare(entry.data, entry.name, image_shape, options, dataset)


def prepared_again(
    uploads: Iterable[Upload],
    place: int,
    image_shape: ImageShape,
    options: PrepareOptions,
    dataset: str,
) -> Prepared:
    """How one image came about, with every step, which :func:`read` does not keep.

    Raises:
        ImageError: if it cannot be read.
    """
    entry = next(islice(entries(uploads), place, None))
    return _prepared(entry, image_shape, options, dataset)

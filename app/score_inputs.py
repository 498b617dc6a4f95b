"""What there is to score: a visitor's files, or examples, as the pixels that a model wants."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from vae_core.config import DatasetName, ImageShape
from vae_core.images import ImageError, Prepared, PrepareOptions, iter_archive, prepare

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
    dataset: DatasetName,
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


def _given(
    entry: Entry, image_shape: ImageShape, options: PrepareOptions, dataset: DatasetName
) -> Given:
    try:
        return Given(entry.name, _prepared(entry, image_shape, options, dataset).pixels)
    except ImageError as error:
        return Given(entry.name, error=str(error))


def _prepared(
    entry: Entry, image_shape: ImageShape, options: PrepareOptions, dataset: DatasetName
) -> Prepared:
    if isinstance(entry.data, ImageError):
        raise entry.data
    return prepare(entry.data, entry.name, image_shape, options, dataset)


def prepared_again(
    uploads: Iterable[Upload],
    place: int,
    image_shape: ImageShape,
    options: PrepareOptions,
    dataset: DatasetName,
) -> Prepared:
    """How one image came about, with every step, which :func:`read` does not keep.

    Raises:
        ImageError: if it cannot be read.
    """
    entry = next(islice(entries(uploads), place, None))
    return _prepared(entry, image_shape, options, dataset)


@dataclass(frozen=True)
class Example:
    """An image to try the page with.

    Attributes:
        make: from test images (N, C, H, W), uint8, to its pixels (C, H, W).
        code: the same in Python, for ``images``.
        about: what to look out for.
    """

    label: str
    make: Callable[[Tensor], Tensor]
    code: str
    about: str


def _seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


EXAMPLES = (
    Example(
        "Test image 0",
        lambda images: images[0],
        "images[0]",
        "A held-out image: of the kind the model learnt, but never seen in training.",
    ),
    Example(
        "Test image 1",
        lambda images: images[1],
        "images[1]",
        "A held-out image: of the kind the model learnt, but never seen in training.",
    ),
    Example(
        "Upside down",
        lambda images: images[0].flip(1),
        "images[0].flip(1)",
        "Test image 0 turned over: the strokes are still those of the data.",
    ),
    Example(
        "Inverted",
        lambda images: 255 - images[0],
        "255 - images[0]",
        "Test image 0 with light and dark swapped, and left so.",
    ),
    Example(
        "Shuffled pixels",
        lambda images: (
            images[0].flatten()[torch.randperm(images[0].numel(), generator=_seeded())]
        ).view_as(images[0]),
        "images[0].flatten()[torch.randperm(images[0].numel(), generator="
        "torch.Generator().manual_seed(0))].view_as(images[0])",
        "The same pixels as in test image 0, in a random order.",
    ),
    Example(
        "Blank",
        lambda images: torch.zeros_like(images[0]),
        "torch.zeros_like(images[0])",
        "No ink at all. Where ink is rare, it outscores most real images: plain is probable.",
    ),
    Example(
        "Noise",
        lambda images: torch.randint(
            0, 256, images[0].shape, generator=_seeded(), dtype=torch.uint8
        ),
        "torch.randint(0, 256, images[0].shape, generator=torch.Generator().manual_seed(0), "
        "dtype=torch.uint8)",
        "Every pixel drawn evenly from black to white.",
    ),
)


def examples(images: Tensor) -> Iterator[Given]:
    """The examples, made from a data set's test images (N, C, H, W), uint8."""
    for each in EXAMPLES:
        yield Given(each.label, each.make(images).clone())


def example(label: str) -> Example | None:
    """The example of that label."""
    return next((each for each in EXAMPLES if each.label == label), None)

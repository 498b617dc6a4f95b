"""Look at all images of a source before a data set is made: what is there, and what suits it."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image

from vae_core.basics.progress import Step
from vae_core.basics.text import printable
from vae_core.data.arrangement import (
    Place,
    Table,
    arrange,
    clean_label,
    read_table,
    split_named,
)
from vae_core.data.decode import ImageError, decode_colour, stated_size
from vae_core.data.layout import corners_agree, light_share
from vae_core.data.picture import Levels
from vae_core.data.sources.base import Entry, Source
from vae_core.settings.choices import Augmentation
from vae_core.settings.data_sets import DataError, ImageShape, Preparation
from vae_core.settings.own_data import SIDES, AddOptions

SAMPLE = 64
"""Images that suggestions are made from."""
_SMALL_COPY = 128  # pixels on the longer side of an image of the sample
_COLOURFUL = 12  # levels between the channels of a pixel with a colour
_SUGGESTED_SIDE = 64
_TWO_LEVELS = 0.9  # share of pixels that are nearly black or nearly white in a drawing
_PHOTOGRAPH = 0.5  # largest share of such pixels in a photograph
_MOST = 0.9  # share of the sample that must agree
_EVERY = 500  # images between two states


@dataclass(slots=True)
class Seen:
    """A file of a source, as far as it was looked at.

    Attributes:
        name: its path in the source.
        size: height and width; None if it is no image.
        refused: why it is no image; empty if it may be one.
        place: its class and part.
        file: the file that it is a frame of; empty if it is none.
    """

    name: str
    size: tuple[int, int] | None = None
    refused: str = ""
    place: Place = Place()
    file: str = ""


@dataclass(frozen=True)
class Examined:
    """All files of a source, and a sample of its images.

    Attributes:
        source: where the files are.
        files: each file, in the order of the source.
        lost: names that a table lists without an image, and the reason.
        sample: small copies of up to 64 images, uint8 (h, w, 3).
        notes: sentences about what was found.
    """

    source: Source
    files: list[Seen]
    lost: list[tuple[str, str]]
    sample: list[Levels]
    notes: list[str]

    @property
    def images(self) -> list[Seen]:
        """The files that may be images."""
        return [each for each in self.files if not each.refused]


@dataclass(frozen=True)
class Plan:
    """How images become a data set, every choice made.

    Attributes:
        augment: what training does with the images by chance.
        why: the reason for each choice that the files suggested, by the name of the setting.
    """

    image_shape: ImageShape
    preparation: Preparation
    augment: Augmentation = "none"
    why: Mapping[str, str] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        """The reasons for the suggested choices."""
        return list(self.why.values())


def examine_steps(source: Source) -> Iterator[Step[Examined]]:
    """Read a source once: sizes of all images, their classes, and a sample of their pixels.

    Raises:
        DataError: if the source cannot be used, or has no image at all.
    """
    files: list[Seen] = []
    tables: list[tuple[str, bytes]] = []
    sample = _Sample()
    for entry in source.entries():
        seen = _seen(entry)
        if isinstance(entry.content, bytes) and entry.name.lower().endswith(".csv"):
            tables.append((entry.name, entry.content))
            seen.refused = "It is a table."
        elif not seen.refused:
            sample.offer(entry)
        files.append(seen)
        if len(files) % _EVERY == 0:
            yield Step(0.0)
    table = _use_table(tables, files)
    images = [each for each in files if not each.refused]
    if not images:
        raise DataError(_no_image(source, files))
    lost = _arrange(source, images, table)
    yield Step(1.0, Examined(source, files, lost, sample.pictures, list(source.notes)))


def _seen(entry: Entry) -> Seen:
    name = printable(entry.name)
    content = entry.content
    place = Place(clean_label(entry.label), split_named(entry.split))
    seen = Seen(name, place=place, file=printable(entry.file))
    if isinstance(content, ImageError):
        seen.refused = str(content)
    elif isinstance(content, bytes):
        try:
            seen.size = stated_size(content, name)
        except ImageError as error:
            seen.refused = str(error)
    else:
        seen.size = content.shape[0], content.shape[1]
    return seen


def _use_table(tables: Sequence[tuple[str, bytes]], files: list[Seen]) -> Table | None:
    """Choose the first table that states classes; the others stay in the list of refused files."""
    chosen: Table | None = None
    reasons: dict[str, str] = {}
    for name, content in tables:
        found = read_table(name, content) if chosen is None else "Another table was used."
        if isinstance(found, Table):
            chosen = found
        reasons[name] = "" if isinstance(found, Table) else found
    for each in files:
        if each.name in reasons:
            each.refused = reasons[each.name] or TABLE
    return chosen


TABLE = "It is the table of the classes."
"""Stands in for the reason of a refused file: the table that was used is no image."""


def _arrange(source: Source, images: list[Seen], table: Table | None) -> list[tuple[str, str]]:
    """Set the place of every image; return the names that only the table has."""
    if source.arranged:
        splits = {each.place.split for each in images}
        if len(splits) == 1:
            for each in images:
                each.place = Place(each.place.label)
        return []
    places, lost = arrange([each.file or each.name for each in images], table)
    for each, place in zip(images, places, strict=True):
        each.place = place
    return [*lost, *(table.refused if table else ())]


def _no_image(source: Source, files: list[Seen]) -> str:
    where = printable(source.path.name)
    if not files:
        return f"{where} contains no files; put images in it."
    first = files[0].refused
    if len(files) == 1:
        return f"{where} contains no image that can be read. {first}"
    many = f"{where} contains no image that can be read, in {len(files):,} files."
    return f"{many} The first: {first}"


class _Sample:
    """A random sample of images with a fixed seed, in one pass (reservoir sampling)."""

    def __init__(self) -> None:
        self.pictures: list[Levels] = []
        self._random = random.Random(0)
        self._offered = 0

    def offer(self, entry: Entry) -> None:
        """Keep a small copy of the image, or pass it over."""
        self._offered += 1
        place = len(self.pictures)
        if place == SAMPLE:
            place = self._random.randrange(self._offered)
            if place >= SAMPLE:
                return
        picture = _small_copy(entry)
        if picture is not None:
            self.pictures[place : place + 1] = [picture]


def _small_copy(entry: Entry) -> Levels | None:
    if isinstance(entry.content, ImageError):
        return None
    try:
        if isinstance(entry.content, bytes):
            picture = decode_colour(entry.content, entry.name)[0]
        else:
            picture = np.asarray(Image.fromarray(entry.content).convert("RGB"))
    except ImageError:  # listed when it is prepared
        return None
    image = Image.fromarray(picture)
    image.thumbnail((_SMALL_COPY, _SMALL_COPY), Image.Resampling.BOX)
    return np.asarray(image)


# ---- suggestions


def plan_of(found: Examined, options: AddOptions) -> Plan:
    """Make every choice: as asked for, else as the files suggest, with the reason."""
    why: dict[str, str] = {}
    sizes = Counter(each.size for each in found.images)
    channels = 3 if options.colour == "rgb" else 1
    if options.colour == "auto":
        channels, why["colour"] = _channels(found.sample)
    way = options.prepare
    if way == "auto":
        way, why["prepare"] = _way(found.sample, sizes, options.frame)
    if way == "ink":
        channels = 1
    frame = options.frame
    if frame is None:
        frame, why["size"] = _frame(found, sizes, way)
    invert = options.invert
    if invert == "auto" and way == "photo":
        dark = channels == 1 and _share(_is_dark_drawing(each) for each in found.sample) >= _MOST
        invert = "yes" if dark else "no"
        if dark:
            why["invert"] = "Inverted: dark ink on a light ground. --invert no keeps it."
    augment = options.augment
    if augment == "auto":
        augment, why["augment"] = _augmentation(found.sample, way)
    return Plan((channels, *frame), Preparation(way, options.fit, invert), augment, why)


def _channels(sample: Sequence[Levels]) -> tuple[int, str]:
    share = _share(_has_colour(each) for each in sample)
    if share == 0:
        return 1, "Grey: no image of the sample has a colour. --colour rgb overrules this."
    return 3, f"In colour: {share:.0%} of the sample have colours. --colour grey overrules this."


def _way(
    sample: Sequence[Levels], sizes: Counter[tuple[int, int] | None], frame: tuple[int, int] | None
) -> tuple[Literal["photo", "ink"], str]:
    alike = len(sizes) == 1 and (_fits(next(iter(sizes))) or next(iter(sizes)) == frame)
    if alike:
        return "photo", "Whole pictures: all have one size. --prepare ink overrules this."
    if _share(_is_drawing(each) for each in sample) >= _MOST:
        return "ink", "Cut to the ink: drawings of many sizes. --prepare photo overrules this."
    return "photo", "Whole pictures: they are not drawings. --prepare ink overrules this."


def _frame(
    found: Examined, sizes: Counter[tuple[int, int] | None], way: str
) -> tuple[tuple[int, int], str]:
    images = [each.size for each in found.images if each.size]
    if len(sizes) == 1 and _fits(images[0]):
        height, width = images[0]
        return (height, width), f"{height}×{width} pixels: all images have this size."
    if way == "ink":
        return (28, 28), "28×28 pixels, as in MNIST. --size overrules this."
    height, width = np.median(np.array(images), axis=0)
    low, _ = SIDES
    scale = min(1.0, _SUGGESTED_SIDE / max(height, width))
    ratio = width / height
    if 0.8 <= ratio <= 1.25 and len(sizes) > 1:
        side = max(low, round(scale * max(height, width)))
        size = side, side
    else:
        size = max(low, round(scale * height)), max(low, round(scale * width))
    many = "the images have many sizes" if len(sizes) > 1 else "the images are larger than 128"
    why = f"{size[0]}×{size[1]} pixels: {many}, about {height:.0f}×{width:.0f}."
    return size, f"{why} --size overrules this."


def _augmentation(sample: Sequence[Levels], way: str) -> tuple[Augmentation, str]:
    """Suggest to mirror photographs, and nothing that may be writing."""
    if way == "photo" and _share(_is_photograph(each) for each in sample) >= _MOST:
        return "flip", (
            "Mirrored by chance in training: photographs, in which left and right seldom matter. "
            "--augment none overrules this."
        )
    return "none", (
        "Not changed in training: they may be writing or drawings, which are others when mirrored. "
        "--augment flip or shift overrules this."
    )


def _fits(size: tuple[int, int] | None) -> bool:
    low, high = SIDES
    return size is not None and all(low <= side <= high for side in size)


def _share(facts: Iterator[bool]) -> float:
    listed = list(facts)
    return sum(listed) / max(1, len(listed))


def _has_colour(picture: Levels) -> bool:
    return int(np.ptp(picture.astype(np.int16), axis=2).max()) > _COLOURFUL


def _is_drawing(picture: Levels) -> bool:
    """Whether a picture has no colours, an even ground, and hardly any grey."""
    grey = picture.mean(2).astype(np.float32) / 255
    if _has_colour(picture) or np.ptp(grey) < 0.2 or not corners_agree(grey):
        return False
    return _extreme_share(picture) >= _TWO_LEVELS


def _is_photograph(picture: Levels) -> bool:
    """Whether most pixels of a picture are neither nearly as dark nor as light as its extremes."""
    return _extreme_share(picture) < _PHOTOGRAPH


def _extreme_share(picture: Levels) -> float:
    grey = picture.mean(2).astype(np.float32) / 255
    low, high = float(grey.min()), float(grey.max())
    extreme = (grey < low + 0.2 * (high - low)) | (grey > high - 0.2 * (high - low))
    return float(extreme.mean())


def _is_dark_drawing(picture: Levels) -> bool:
    grey = picture.mean(2).astype(np.float32) / 255
    return _is_drawing(picture) and light_share(grey) > 0.5

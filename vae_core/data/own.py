"""Make a data set of the user's own images, and keep it as a folder (:mod:`vae_core.data.kept`).

The source is read twice: once to see what is in it, and once to prepare every image. At most one
image is in memory; prepared images are written to disk as they come.
"""

import contextlib
import dataclasses
import hashlib
import re
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vae_core.basics.held_folders import HeldFolder, sweep_held
from vae_core.basics.paths import datasets_folder, path_of
from vae_core.basics.progress import OnProgress, Step, result_of
from vae_core.basics.text import printable
from vae_core.data.arrangement import Place, class_names
from vae_core.data.catalogue import BUILT_IN
from vae_core.data.examination import TABLE, Examined, Plan, examine_steps, plan_of
from vae_core.data.exchange import Exported, exported, restore_steps
from vae_core.data.given import GivenFiles, opened_source
from vae_core.data.kept import (
    FORMAT,
    IMAGES_FILE,
    LABELS_FILE,
    NAMES_FILE,
    KeptDataset,
    check_name,
    digest_of,
    folder_of,
    had_name,
    kept_datasets,
    same_name,
    write_header,
    write_record,
)
from vae_core.data.photo import as_pixels, fitted_photo, in_channels, read_levels
from vae_core.data.picture import ImageError, Levels
from vae_core.data.sources.base import Entry
from vae_core.data.splitting import Splitting, split_images
from vae_core.settings.data_sets import DataError, DatasetInfo, ImageShape, Split, find_dataset
from vae_core.settings.fields import MOST_CLASSES
from vae_core.settings.own_data import AddOptions
from vae_core.settings.suggested import suggested_settings

FEWEST_IMAGES = 50
FEW_IMAGES = 500
"""With fewer images than this, percentiles are coarse, which is said."""
_MOST_LISTED = 1000  # rejected files in dataset.json
STAGING = ".adding-"
"""How the name of a folder begins in which a data set is made."""
_LEFT_OVER = 86_400  # seconds after which the folder of an interrupted command is removed
_LONGEST_NAME = 40  # characters of a suggested name
_EVERY = 200  # images between two states
_LOOKED = 0.2  # share of the work of the first pass


@dataclass(frozen=True)
class _Row:
    """A prepared image; ``file`` is the file that it is a frame of, if it is one."""

    name: str
    place: Place
    digest: bytes
    file: str


def add_dataset(
    name: str,
    source: str | Path | GivenFiles,
    options: AddOptions | None = None,
    on_progress: OnProgress | None = None,
) -> DatasetInfo:
    """Make a data set of images, and keep it under a name for :func:`.datasets.load_dataset`.

    Args:
        name: its name in commands, links and run folders.
        source: a folder of images, a .zip or .tar archive of one, a .npy or .npz array, or a
            Parquet file; or files with names of their own. Folders called train, validation and
            test are the parts; the folders below them, or a CSV file with the columns
            ``file,label``, are the classes.
        options: size, colour, preparation and split; None takes what the files suggest.
        on_progress: called with the share that is done.

    Raises:
        DataError: if the name is taken or cannot be used, or there are fewer than 50 images. Then
            nothing is kept.
        OSError: if the folder of data sets cannot be written.
    """
    return result_of(add_dataset_steps(name, source, options), on_progress).info


def add_dataset_steps(
    name: str, source: str | Path | GivenFiles, options: AddOptions | None = None
) -> Generator[Step[KeptDataset], None, None]:
    """Do what :func:`add_dataset` does, in small steps; the last one has the data set."""
    options = options or AddOptions()
    check_free(name)
    folder = datasets_folder()
    folder.mkdir(parents=True, exist_ok=True)
    sweep_staging()
    with HeldFolder(folder, STAGING) as staging:
        scratch, made = staging / "scratch", staging / "made"
        scratch.mkdir()
        made.mkdir()
        archive = _as_it_was(source, options)
        if archive is not None:
            steps = restore_steps(archive, name, options.title, made)
        else:
            steps = _make_steps(name, source, options, scratch, made)
        for step in steps:
            yield Step(step.share)
        check_free(name)
        made.rename(folder / name)
    yield Step(1.0, kept_datasets()[find_dataset(name).name])


def _make_steps(
    name: str, source: str | Path | GivenFiles, options: AddOptions, scratch: Path, made: Path
) -> Iterator[Step[None]]:
    """Look at all images of a source, prepare them, and write the files of the data set."""
    opened = opened_source(source, scratch, options.range, options.frames)
    found: Examined | None = None
    for step in examine_steps(opened):
        found = step.result
        yield Step(_LOOKED * step.share)
    assert found is not None
    maker = _Maker(name, found, plan_of(found, options), options)
    with (scratch / "pixels").open("w+b") as raw:
        for share in maker.prepare(raw):
            yield Step(_LOOKED + (1 - _LOOKED) * share)
        maker.write(raw, made)


def _as_it_was(source: str | Path | GivenFiles, options: AddOptions) -> Exported | None:
    """The exported data set that a source is, if it is one and is to be taken as it was."""
    if dataclasses.replace(options, title="") != AddOptions():
        return None
    if isinstance(source, GivenFiles):
        return exported(source.files[0][1]) if len(source.files) == 1 else None
    return exported(path_of(source))


def check_free(name: str) -> None:
    """Check that a new data set can have this name.

    Raises:
        DataError: otherwise.
    """
    check_name(name)
    if same_name(name) in map(same_name, BUILT_IN):
        raise DataError(f"{name!r} is a built-in data set; choose another name.")
    if folder_of(name) is not None:
        raise DataError(
            f"There is a data set called {name!r} already; remove it first or choose another name."
        )
    if (now := had_name(name)) is not None:
        raise DataError(
            f"The data set {now!r} was called {name!r} before, and runs on it still know that "
            "name; choose another one."
        )


def suggested_name(text: str) -> str:
    """Return a free name for a data set, made of the name of its source."""
    stem = re.sub(r"(\.tar)?\.\w{1,8}$", "", text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1])
    words = re.sub(r"[^\w.-]+", "-", stem)[:_LONGEST_NAME].strip("-._") or "images"
    return next(
        each for each in (words, *(f"{words}-{i}" for i in range(2, 10_000))) if _is_free(each)
    )


def _is_free(name: str) -> bool:
    try:
        check_free(name)
    except DataError:
        return False
    return True


class _Maker:
    """A data set while it is made.

    Attributes:
        rows: the prepared images, in the order of the source.
        rejected: names of files that could not be used, and the reasons.
    """

    def __init__(self, name: str, found: Examined, plan: Plan, options: AddOptions) -> None:
        self.name, self.found, self.plan, self.options = name, found, plan, options
        self.rows: list[_Row] = []
        self.rejected: list[tuple[str, str]] = list(found.lost)
        self._first: dict[bytes, _Row] = {}
        self._levels = np.zeros(256, np.int64)  # how many pixels have each value

    def prepare(self, raw: BinaryIO) -> Iterator[float]:
        """Prepare every image and append its pixels to a file; yield the share that is done."""
        total = len(self.found.files)
        entries = self.found.source.entries()
        for index, (entry, seen) in enumerate(zip(entries, self.found.files, strict=False)):
            if printable(entry.name) != seen.name:
                raise DataError(f"{self._where} changed while it was read; try again.")
            if seen.refused:
                if seen.refused != TABLE:
                    self.rejected.append((seen.name, seen.refused))
            else:
                self._prepare(entry, seen.place, raw)
            if index % _EVERY == 0:
                yield index / total

    def _prepare(self, entry: Entry, place: Place, raw: BinaryIO) -> None:
        name = printable(entry.name)
        try:
            pixels = prepared_pixels(entry, self.plan)
        except ImageError as error:
            self.rejected.append((name, str(error)))
            return
        content = pixels.tobytes()
        digest = hashlib.blake2b(content, digest_size=16).digest()
        row = _Row(name, place, digest, printable(entry.file))
        first = self._first.setdefault(row.digest, row)
        labels = first.place.label, place.label
        if None not in labels and labels[0] != labels[1]:
            why = f"It is the same image as {first.name}, which is of another class and was kept."
            self.rejected.append((name, why))
            return
        raw.write(content)
        self.rows.append(row)
        self._levels += np.bincount(pixels.ravel(), minlength=256)

    @property
    def _where(self) -> str:
        return printable(self.found.source.path.name)

    # ---- writing

    def write(self, raw: BinaryIO, folder: Path) -> None:
        """Split the images and write the four files of the data set.

        Raises:
            DataError: if there are too few images.
        """
        self._check_count()
        classes, notes = self._classes()
        number: dict[str | None, int] = {label: index for index, label in enumerate(classes)}
        labels = np.array([number.get(row.place.label, -1) for row in self.rows], np.int64)
        splits: list[Split | None] = [row.place.split for row in self.rows]
        digests = [row.digest for row in self.rows]
        files = [row.file for row in self.rows]
        shares, seed = self.options.shares, self.options.seed
        split = split_images(digests, labels, splits, shares, seed, files)
        if not split.sizes["train"] or not split.sizes["validation"]:
            only = "only one" if split.sizes["train"] else "no"
            new = " that is in no other part" if split.duplicates["left_out"] else ""
            raise DataError(f"{self._where} has {only} training image{new}; give more.")
        order = split.order
        _write_images(raw, folder / IMAGES_FILE, order, self.plan.image_shape)
        np.save(folder / LABELS_FILE, labels[order])
        names = "".join(f"{self.rows[index].name}\n" for index in order)
        (folder / NAMES_FILE).write_text(names, "utf-8")
        record = self._record(split, classes, [*notes, *split.notes])
        record["digest"] = digest_of(folder, split.sizes)
        write_record(folder, record)

    def _check_count(self) -> None:
        different = len(self._first)
        if different >= FEWEST_IMAGES:
            return
        lost = f" {len(self.rejected):,} could not be used." if self.rejected else ""
        why = f" The first: {self.rejected[0][0]}: {self.rejected[0][1]}" if self.rejected else ""
        raise DataError(
            f"{self._where} has {different:,} different {'image' if different == 1 else 'images'} "
            f"that can be used; a data set needs at least {FEWEST_IMAGES}.{lost}{why}"
        )

    def _classes(self) -> tuple[tuple[str, ...], list[str]]:
        classes = class_names(row.place.label for row in self.rows)
        if len(classes) > MOST_CLASSES:
            many = f"There are {len(classes):,} classes, at most {MOST_CLASSES:,} are kept"
            return (), [f"{many}: the images have no labels now."]
        unlabelled = sum(row.place.label is None for row in self.rows)
        if classes and unlabelled:
            return classes, [f"{unlabelled:,} images have no class."]
        return classes, []

    def _record(
        self, split: Splitting, classes: tuple[str, ...], notes: list[str]
    ) -> dict[str, Any]:
        plan, source = self.plan, self.found.source
        return {
            "format": FORMAT,
            "name": self.name,
            "title": printable(
                self.options.title or default_title(self.name, plan.image_shape), 80
            ),
            "image_shape": list(plan.image_shape),
            "classes": list(classes),
            "counts": dict(split.sizes),
            "split": split.how,
            "seed": self.options.seed,
            "source": f"{self._where} ({source.kind}, {len(self.found.files):,} entries)",
            "added": time.strftime("%Y-%m-%d %H:%M:%S"),
            "preparation": dataclasses.asdict(plan.preparation),
            "suggested": self._suggested(split.sizes["train"]),
            "reasons": plan.reasons,
            "notes": [*self.found.notes, *notes, *few_images(split)],
            "duplicates": split.duplicates,
            "rejected": [
                {"file": printable(file, 200), "reason": printable(reason, 300)}
                for file, reason in self.rejected[:_MOST_LISTED]
            ],
            "rejected_count": len(self.rejected),
        }

    def _suggested(self, images: int) -> dict[str, Any]:
        """The settings that a training on so many images begins with."""
        found = suggested_settings(self._levels.tolist(), self.plan.image_shape[0], images)
        augment = self.plan.augment
        return found | ({"augment": augment} if augment != "none" else {})


def default_title(name: str, shape: ImageShape) -> str:
    """Return the title of a data set that was given none."""
    return f"{name} {shape[1]}×{shape[2]}"


def few_images(split: Splitting) -> list[str]:
    """Say how coarse percentiles are, for a data set with few images."""
    total, held_out = sum(split.sizes.values()), split.sizes["validation"]
    if total >= FEW_IMAGES:
        return []
    return [
        f"Only {total:,} images: scores are compared with {held_out:,} validation images, so a "
        f"percentile moves in steps of {100 / held_out:.2g} %, and no false-alarm rate below "
        f"{100 / (held_out + 1):.2g} % can be kept. With {FEW_IMAGES} images or more it is finer."
    ]


def prepared_pixels(entry: Entry, plan: Plan) -> Levels:
    """Prepare one image of a source, uint8 (C, H, W).

    Raises:
        ImageError: if it cannot be read.
    """
    channels, height, width = plan.image_shape
    content, about = entry.content, plan.preparation
    if isinstance(content, ImageError):
        raise content
    if about.way == "ink":
        return _of_ink(entry, plan)
    if isinstance(content, bytes):
        picture = read_levels(content, entry.name, channels)[0]
    else:
        picture = in_channels(content, channels)
    if about.invert == "yes":
        picture = 255 - picture
    return as_pixels(fitted_photo(picture, (height, width), about.fit)[0])


def _of_ink(entry: Entry, plan: Plan) -> Levels:
    from vae_core.data.prepare import prepared_ink  # imports torch

    assert not isinstance(entry.content, ImageError)
    return prepared_ink(entry.content, entry.name, plan.image_shape, plan.preparation)


def _write_images(
    raw: BinaryIO, path: Path, order: np.ndarray, shape: tuple[int, int, int]
) -> None:
    """Copy the pixels of images into an ``.npy`` file, in a new order, one image at a time."""
    size = int(np.prod(shape))
    with path.open("wb") as file:
        write_header(file, len(order), shape)
        for index in order.tolist():
            raw.seek(index * size)
            file.write(raw.read(size))


def sweep_staging() -> None:
    """Remove what processes left over that were killed while they made a data set."""
    folder = datasets_folder()
    sweep_held(folder, STAGING)
    for each in folder.glob(f"{STAGING}*"):  # those of a former version hold no lock
        with contextlib.suppress(OSError):
            if not each.is_symlink() and each.stat().st_mtime < time.time() - _LEFT_OVER:
                shutil.rmtree(each, ignore_errors=True)

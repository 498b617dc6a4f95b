"""Data sets of the user's own as .zip files: for another computer, or to look at the images.

The archive has the images as PNG files in the folders of their parts, and ``labels.csv`` with their
classes and names, which any program can read. A hidden folder has what the files do not say, so
that adding the archive makes the very same data set, with the same digest, for which runs ask.
"""

import csv
import io
import json
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vae_core.basics.files import replacing
from vae_core.basics.plain_files import open_plain
from vae_core.basics.progress import Step
from vae_core.basics.text import printable, without_formula
from vae_core.data.archives import archive_files, listed_safely
from vae_core.data.decode import ImageError
from vae_core.data.history import history_of
from vae_core.data.kept import (
    DATASET_FILE,
    IMAGES_FILE,
    LABELS_FILE,
    MAX_RECORD_BYTES,
    NAMES_FILE,
    SPLITS,
    KeptDataset,
    digest_of,
    info_of,
    own_dataset,
    write_header,
    write_record,
)
from vae_core.data.photo import as_pixels, read_levels
from vae_core.data.picture import Levels
from vae_core.data.sources.base import LIMITS
from vae_core.settings.data_sets import DataError, DatasetInfo

_HIDDEN = ".elbo-room/"
_TABLE = "labels.csv"
_MOST_BYTES = {DATASET_FILE: MAX_RECORD_BYTES, LABELS_FILE: 10_000_000, NAMES_FILE: 400_000_000}
_EVERY = 100  # images between two states


# ---- writing


def export_dataset(name: str, path: Path) -> Path:
    """Write a data set of the user's own into a .zip file, and return its path.

    Raises:
        DataError: if there is no such data set, or it is damaged.
        OSError: if the file cannot be written. Then nothing is left of it.
    """
    for _ in export_steps(name, path):
        pass
    return path


def export_steps(name: str, path: Path) -> Iterator[Step[Path]]:
    """Do what :func:`export_dataset` does, in small steps."""
    stored = own_dataset(name)
    images, labels = stored.load()
    names = _names(stored, len(images))
    files = _file_names(stored.info)
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in _MOST_BYTES:
            archive.write(stored.folder / each, _HIDDEN + each)
        archive.writestr(_TABLE, _table(stored.info, files, labels.tolist(), names))
        for index, name_within in enumerate(files):
            archive.writestr(name_within, _png(images[index]), zipfile.ZIP_STORED)
            if index % _EVERY == 0:
                yield Step(index / len(files))
    yield Step(1.0, path)


def _names(stored: KeptDataset, count: int) -> list[str]:
    """The name of each image's file, empty where the list of names is damaged."""
    with open_plain(stored.folder / NAMES_FILE) as file:
        found = file.read(_MOST_BYTES[NAMES_FILE]).decode("utf-8", "replace").split("\n")
    return [*found, *[""] * count][:count]


def _file_names(info: DatasetInfo) -> list[str]:
    """The path of each image in the archive, in the order of the data set."""
    return [f"{split}/{index:06d}.png" for split in SPLITS for index in range(info.sizes[split])]


def _table(
    info: DatasetInfo, files: Sequence[str], labels: Sequence[int], names: Sequence[str]
) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("file", "label", "split", "name"))
    for file, label, name in zip(files, labels, names, strict=True):
        class_name = info.classes[label] if label >= 0 else ""
        split = file.partition("/")[0]
        writer.writerow((file, without_formula(class_name), split, without_formula(name)))
    return text.getvalue()


def _png(pixels: Levels) -> bytes:
    stream = io.BytesIO()
    levels = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(levels)).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


# ---- reading


@dataclass(frozen=True)
class Exported:
    """An archive of :func:`export_dataset`, of which nothing has been checked but its record."""

    path: Path
    info: DatasetInfo
    record: Mapping[str, Any]


def exported(path: Path) -> Exported | None:
    """Look whether a file is an archive of :func:`export_dataset`; None if it is not.

    Raises:
        DataError: if it is one, but its record is damaged.
    """
    if not (path.is_file() and path.suffix.lower() == ".zip"):
        return None
    try:
        with listed_safely(path, path.name, LIMITS) as archive:
            if _HIDDEN + DATASET_FILE not in archive.NameToInfo:
                return None
            content = _content(archive, DATASET_FILE)
    except ImageError:
        return None  # no complete archive at all, which is said by who reads its images
    except _BROKEN as error:
        raise _damaged(path, str(error)) from error
    try:
        record = json.loads(content)
        return Exported(path, info_of(record), record)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error


_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, KeyError, RuntimeError)


def restore_steps(
    archive: Exported, name: str, title: str, folder: Path
) -> Iterator[Step[DatasetInfo]]:
    """Write the files of an exported data set into a folder, and check them by their digest.

    Args:
        name: its name on this computer.
        title: empty for the title that it had.

    Raises:
        DataError: if the archive is damaged, or was changed.
    """
    info = archive.info
    try:
        with listed_safely(archive.path, archive.path.name, LIMITS) as packed:
            for each in (LABELS_FILE, NAMES_FILE):
                (folder / each).write_bytes(_content(packed, each))
        for share in _unpack_images(archive, folder / IMAGES_FILE):
            yield Step(share)
    except (*_BROKEN, ImageError) as error:
        raise _damaged(archive.path, str(error)) from error
    if digest_of(folder, info.sizes) != info.digest:
        raise _damaged(archive.path, "its images or labels are others than those it was made with")
    record = {
        **_clean(archive.record),
        "name": name,
        "title": printable(title, 80) or info.title,
        "source": _source(archive),
        "added": time.strftime("%Y-%m-%d %H:%M:%S"),
    }
    write_record(folder, record)
    KeptDataset(info_of(record), folder=folder).load()  # labels that are classes, for one
    yield Step(1.0, info_of(record))


def _unpack_images(archive: Exported, path: Path) -> Iterator[float]:
    """Copy the pixels of all images into an ``.npy`` file, in the order of the data set."""
    expected = _file_names(archive.info)
    done = 0
    with path.open("wb") as file:
        write_header(file, len(expected), archive.info.image_shape)
        for name, content in archive_files(archive.path, archive.path.name, LIMITS):
            if name == _TABLE:
                continue
            if done == len(expected) or name != expected[done]:
                raise ImageError(f"{printable(name, 80)} does not belong there")
            file.write(_pixels(content, name, archive.info).tobytes())
            done += 1
            if done % _EVERY == 0:
                yield done / len(expected)
    if done < len(expected):
        raise ImageError(f"{expected[done]} is missing")


def _pixels(content: bytes | ImageError, name: str, info: DatasetInfo) -> Levels:
    if isinstance(content, ImageError):
        raise content
    pixels = as_pixels(read_levels(content, name, info.image_shape[0])[0])
    if pixels.shape != info.image_shape:
        raise ImageError(f"{name} has another size")
    return pixels


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    """Unpack a file of the hidden folder, at most so many bytes as it may have."""
    entry = archive.getinfo(_HIDDEN + name)
    if entry.file_size > _MOST_BYTES[name]:
        raise zipfile.BadZipFile(f"{name} is too large")
    with archive.open(entry) as stream:
        return stream.read(entry.file_size + 1)


def _clean(record: Mapping[str, Any]) -> dict[str, Any]:
    """Copy what is known of a record that somebody else may have written."""
    history = history_of(record)
    facts = ("format", "image_shape", "classes", "counts", "preparation", "suggested", "digest")
    return {
        **{key: record[key] for key in facts},
        "split": history.split,
        "reasons": history.reasons,
        "notes": history.notes,
        "duplicates": {"copies": history.copies, "left_out": history.left_out},
        "rejected": [{"file": file, "reason": reason} for file, reason in history.rejected],
        "rejected_count": history.rejected_count,
    }


def _source(archive: Exported) -> str:
    first = history_of(archive.record).source
    shown = printable(archive.path.name, 80)
    return printable(f"{shown}, the exported data set {archive.info.name}; before: {first}", 300)


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"{printable(path.name, 80)} is an exported data set that is damaged: "
        f"{printable(reason, 200).rstrip('.')}. Export it again."
    )

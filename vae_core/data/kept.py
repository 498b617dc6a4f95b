"""Data sets of the user's own, each a folder that was made by :mod:`vae_core.data.own`.

``dataset.json`` says what the data set is and how it was made, ``images.npy`` has the images,
``labels.npy`` their labels (−1 for none), and ``names.txt`` the names of their files. Training
images come first, then validation, then test. Nothing here needs torch.
"""

import dataclasses
import hashlib
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.files import replace_plain
from vae_core.basics.paths import datasets_folder
from vae_core.basics.plain_files import check_folder, open_plain, read_json
from vae_core.basics.text import printable
from vae_core.basics.versions import Version, version_of
from vae_core.data.download import Progress
from vae_core.data.stored import WHOLE, Layout, Pixels, StoredDataset
from vae_core.settings.config import explain
from vae_core.settings.data_sets import DataError, DatasetInfo, ImageShape, Preparation, Split
from vae_core.settings.fields import MOST_CLASSES, checked
from vae_core.settings.own_data import SIDES

DATASET_FILE = "dataset.json"
IMAGES_FILE = "images.npy"
LABELS_FILE = "labels.npy"
NAMES_FILE = "names.txt"
FORMAT = 1
MAX_RECORD_BYTES = 8_000_000
MOST_NAMES = 100
"""Names that a data set may have had before."""
SPLITS: tuple[Split, ...] = get_args(Split)

INK = Layout(20 / 28, 20 / 28, 1, "mass", 1, shades=False, reason="with a margin, as in MNIST")
"""The place of the ink in a data set that was prepared as ink."""

_REMOVED = ".removed"
_CHUNK = 1 << 20
_LONGEST = 80  # characters of a title or the name of a class
_NAME = re.compile(r"\w[\w.-]{0,63}")


@dataclass(frozen=True)
class KeptDataset(StoredDataset):
    """A data set of the user's own.

    Attributes:
        folder: where it is kept.
        record: the content of its ``dataset.json``.
    """

    folder: Path = Path()
    record: Mapping[str, Any] = field(default_factory=dict)

    def load(self, progress: Progress | None = None) -> Pixels:
        """Map the images into memory and read the labels. Writing to them changes no file."""
        images = self._array(IMAGES_FILE, "c")
        labels = self._array(LABELS_FILE, None)
        total = sum(self.info.sizes.values())
        if images.dtype != np.uint8 or images.shape != (total, *self.info.image_shape):
            raise self._damaged(f"{IMAGES_FILE} has not the images that {DATASET_FILE} describes")
        if labels.dtype != np.int64 or labels.shape != (total,):
            raise self._damaged(f"{LABELS_FILE} has not one label for each image")
        if labels.min(initial=0) < -1 or labels.max(initial=-1) >= len(self.info.classes):
            raise self._damaged(f"{LABELS_FILE} has a label that is no class")
        return images, labels

    def current_digest(self) -> str:
        """Compute the digest of the images and labels as they are now.

        Raises:
            DataError: if a file is missing.
        """
        try:
            return digest_of(self.folder, self.info.sizes)
        except OSError as error:
            raise self._damaged(error.strerror or str(error)) from error

    def _array(self, name: str, mode: Any) -> NDArray[Any]:
        try:
            with open_plain(self.folder / name):  # no link, pipe or device
                pass
            return np.load(self.folder / name, mmap_mode=mode, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise self._damaged(f"{name} cannot be read ({error})") from error

    def _damaged(self, reason: str) -> DataError:
        return DataError(
            f"The data set {self.info.name!r} is damaged: {printable(reason, 300)}. Remove it and "
            "add it again."
        )


def digest_of(folder: Path, sizes: Mapping[Split, int]) -> str:
    """Compute the digest of a data set: SHA-256 of its images, labels and split sizes."""
    digest = hashlib.sha256(repr([sizes[split] for split in SPLITS]).encode())
    for name in (IMAGES_FILE, LABELS_FILE):
        with open_plain(folder / name) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def write_header(file: BinaryIO, count: int, shape: ImageShape) -> None:
    """Begin an ``.npy`` file of images, whose pixels follow."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    np.lib.format.write_array_header_1_0(file, header)


# ---- dataset.json


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write the ``dataset.json`` of a data set, or replace it in one step."""
    text = json.dumps(record, indent=2, ensure_ascii=False)
    replace_plain(folder / DATASET_FILE, text + "\n")


def info_of(record: Any) -> DatasetInfo:
    """Read the facts of a ``dataset.json``.

    Raises:
        ValueError: if it is not such a record.
    """
    if not isinstance(record, Mapping) or record.get("format") != FORMAT:
        raise ValueError("it was written by another version of the program")
    try:
        name, title, digest = (_text(record[key]) for key in ("name", "title", "digest"))
        classes = tuple(_text(each) for each in _list(record["classes"], MOST_CLASSES))
        sizes: dict[Split, int] = {split: _count(record["counts"][split]) for split in SPLITS}
        shape = _shape(record["image_shape"])
        preparation = _preparation(record["preparation"])
        suggested = _suggested(record["suggested"])
        former = tuple(_text(each) for each in _list(record.get("former_names", []), MOST_NAMES))
    except (KeyError, TypeError) as error:
        raise ValueError(f"it does not say {error}") from error
    for each in (name, *former):
        check_name(each)
    facts = title, shape, sizes, True, classes, suggested, 0, preparation, digest, former
    return DatasetInfo(name, *facts)


def check_name(name: str) -> None:
    """Check the name of a data set: it is a word of commands and links, and the name of a folder.

    Raises:
        DataError: if it cannot be used.
    """
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise DataError(
            f"{printable(name, 80)!r} cannot be the name of a data set; use up to 64 letters, "
            "digits, '-', '_' and '.', and begin with a letter or digit."
        )


def _preparation(value: Any) -> Preparation:
    hints = get_type_hints(Preparation)
    chosen = {each.name: value[each.name] for each in dataclasses.fields(Preparation)}
    for key, choice in chosen.items():
        if choice not in get_args(hints[key]):
            raise ValueError(f"{key} cannot be {choice!r}")
    return Preparation(**chosen)


def _suggested(value: Any) -> dict[str, Any]:
    later = ("augment", "network", "latent_size", "epochs")
    names = ["likelihood", "binarisation", *(name for name in later if name in value)]
    chosen = {name: value[name] for name in names}
    for name, each in chosen.items():
        checked(explain(name), each)
    return chosen


def _shape(value: Any) -> ImageShape:
    low, high = SIDES
    channels, height, width = map(_count, _list(value, 3))
    if channels not in (1, 3) or not (low <= height <= high and low <= width <= high):
        raise ValueError("its images have a shape that no data set has")
    return channels, height, width


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        raise ValueError("a name in it cannot be used")
    return value


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("a list in it cannot be used")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**40:
        raise ValueError("a number in it cannot be used")
    return value


# ---- the folder of all


def kept_datasets() -> dict[str, KeptDataset]:
    """Return every readable data set of the user's own, by name, in alphabetical order."""
    return {each.info.name: each for each in _entries() if isinstance(each, KeptDataset)}


def own_dataset(name: str) -> KeptDataset:
    """Return the data set of the user's own that is called ``name`` now.

    Raises:
        DataError: if there is none, or it is damaged.
    """
    stored = kept_datasets().get(name)
    if stored is not None:
        return stored
    shown = printable(name, 80)
    if folder_of(name) is not None:
        raise DataError(f"The data set {shown!r} is damaged; remove it and add it again.")
    raise DataError(f"There is no data set of your own called {shown!r}.")


def damaged_datasets() -> dict[str, str]:
    """Return why a folder among the data sets cannot be used, by its name."""
    return dict(each for each in _entries() if isinstance(each, tuple))


def remove_dataset(name: str) -> Path:
    """Remove a data set from the lists: move its folder into ``.removed``. Nothing is deleted.

    Returns:
        The new path of the folder, for :func:`restore_dataset`.

    Raises:
        DataError: if there is no such data set of the user's own.
    """
    folder = folder_of(name)
    if folder is None:
        raise DataError(f"There is no data set of your own called {printable(name, 80)!r}.")
    target = datasets_folder() / _REMOVED / f"{folder.name}-{secrets.token_hex(2)}"
    target.parent.mkdir(exist_ok=True)
    return folder.rename(target)


def restore_dataset(removed: Path) -> str:
    """Undo :func:`remove_dataset`, and return the name of the data set.

    Raises:
        DataError: if another data set has its name now.
    """
    name = removed.name.rpartition("-")[0]
    if folder_of(name) is not None:
        raise DataError(f"Another data set is called {name!r} now; remove it first.")
    removed.rename(datasets_folder() / name)
    return name


def same_name(name: str) -> str:
    """Return a form of a name that is equal for names that a file system may not tell apart."""
    return unicodedata.normalize("NFC", name).casefold()


def folder_of(name: str) -> Path | None:
    """Find the folder of a data set of the user's own, damaged or not; None if there is none."""
    folders = _folders()
    return next((each for each in folders if same_name(each.name) == same_name(name)), None)


def had_name(name: str) -> str | None:
    """Return the name of the data set that was called ``name`` before it was renamed, if any."""
    wanted = same_name(name)
    infos = (each.info for each in kept_datasets().values())
    return next((i.name for i in infos if wanted in map(same_name, i.former_names)), None)


def _folders() -> list[Path]:
    folder = datasets_folder()
    try:
        with os.scandir(folder) as found:
            names = [each.name for each in found if each.is_dir(follow_symlinks=False)]
    except OSError:  # missing, or it cannot be read: the built-in data sets still work
        return []
    return [folder / name for name in sorted(names) if not name.startswith(".")]


_known: dict[Path, tuple[Version, KeptDataset]] = {}


def _entries() -> Iterator[KeptDataset | tuple[str, str]]:
    """Read every folder, but not again what has not changed."""
    for folder in _folders():
        version = version_of(f"{folder}/{DATASET_FILE}")
        if version is None:  # not a data set
            continue
        known = _known.get(folder)
        if known is not None and known[0] == version and version.is_settled():
            yield known[1]
            continue
        try:
            found = _read(folder)
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            yield printable(folder.name), printable(f"{DATASET_FILE}: {reason}", 300)
            continue
        _known[folder] = version, found
        yield found


def _read(folder: Path) -> KeptDataset:
    check_folder(folder)
    record = read_json(folder / DATASET_FILE, MAX_RECORD_BYTES)
    info = info_of(record)
    if folder.name in info.former_names:  # renaming it was interrupted, or undone
        info = dataclasses.replace(info, name=folder.name)
    if info.name != folder.name:
        raise ValueError(f"it belongs to {info.name!r}, and not into this folder")
    return KeptDataset(info, layout_of(info), folder=folder, record=record)


def layout_of(info: DatasetInfo) -> Layout:
    """Return the place of the ink in the images of a data set of the user's own."""
    ink = info.preparation is not None and info.preparation.way == "ink"
    return INK if ink else WHOLE

"""Find the class and the part of each image: from a table, else from the folders it lies in."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vae_core.basics.text import printable
from vae_core.settings.data_sets import Split

SPLIT_NAMES: Mapping[str, Split] = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
_FILE = ("file", "filename", "file_name", "image", "path", "name")
_LABEL = ("label", "class", "category", "target")
_SPLIT = ("split", "part", "subset")
_MOST_COLUMNS = 1000
_LONGEST = 80  # characters of the name of a class


@dataclass(frozen=True, slots=True)
class Place:
    """The class of an image, and the part of the data set it belongs to; None if not known."""

    label: str | None = None
    split: Split | None = None


@dataclass(frozen=True)
class Table:
    """A CSV file that states the class, and perhaps the part, of files beside it.

    Attributes:
        name: its path in the source.
        rows: what it says of each file, by the path relative to the table.
        refused: rows that cannot be used, with the reason.
        has_labels: whether it has a column of classes.
    """

    name: str
    rows: Mapping[str, Place]
    refused: Sequence[tuple[str, str]]
    has_labels: bool

    @property
    def folder(self) -> str:
        """The folder that its paths are relative to, with a slash at the end."""
        return self.name[: self.name.rfind("/") + 1]


def split_named(text: str | None) -> Split | None:
    """Return the part that a word names; None if it names none."""
    return SPLIT_NAMES.get((text or "").strip().lower())


def clean_label(text: str | None) -> str | None:
    """Make the name of a class fit for lists; None for an empty one."""
    return printable((text or "").strip(), _LONGEST) or None


def read_table(name: str, content: bytes) -> Table | str:
    """Read a CSV file with the columns ``file``, ``label`` and perhaps ``split``.

    Returns:
        The table, or a sentence that says why it is none.
    """
    try:
        text = content.decode("utf-8-sig")
        first = text.split("\n", 1)[0]
        separator = max(",;\t", key=first.count)
        if first.count(separator) >= _MOST_COLUMNS:
            return f"{name} has {first.count(separator) + 1:,} columns, so it was not used."
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
        columns = {(each or "").strip().lower(): each for each in reader.fieldnames or ()}
        file, label, split = (
            next((columns[each] for each in known if each in columns), None)
            for known in (_FILE, _LABEL, _SPLIT)
        )
        if file is None or (label is None and split is None):
            return f"{name} has no columns 'file' and 'label', so it was not used."
        return _table(name, reader, file, label, split)
    except (UnicodeDecodeError, csv.Error) as error:
        return f"{name} is not a readable CSV file ({printable(str(error), 100)})."


def _table(
    name: str,
    reader: Iterable[Mapping[str, str | None]],
    file: str,
    label: str | None,
    split: str | None,
) -> Table:
    rows: dict[str, Place] = {}
    refused = []
    for row in reader:
        path = (row[file] or "").strip().replace("\\", "/").removeprefix("./")
        part = row[split] if split else None
        place = Place(clean_label(row[label]) if label else None, split_named(part))
        shown = printable(path, 200)
        if part and part.strip() and place.split is None:
            refused.append((shown, f"Its part {printable(part, 40)!r} is no part; it was ignored."))
        if path in rows and rows[path] != place:
            refused.append((shown, f"{name} lists it twice, as different; the first row counts."))
        elif path:
            rows[path] = place
    return Table(name, rows, refused, label is not None)


def arrange(
    names: Sequence[str], table: Table | None = None
) -> tuple[list[Place], list[tuple[str, str]]]:
    """Find the class and the part of each image.

    The class is the folder path below the common root. If all folders at the top are called train,
    validation or test, they are the parts. A table comes before the folders.

    Returns:
        The place of each name, and what the table says of files that do not exist.
    """
    by_folder = _by_folder([tuple(name.split("/")[:-1]) for name in names])
    if table is None:
        return by_folder, []
    rest = dict(table.rows)
    by_base = _unique_bases(table.rows)
    places = []
    for name, found in zip(names, by_folder, strict=True):
        relative = name.removeprefix(table.folder)
        key = relative if relative in table.rows else by_base.get(name.rsplit("/", 1)[-1], "")
        row = table.rows.get(key, Place())
        rest.pop(key, None)
        label = row.label if table.has_labels else found.label
        places.append(Place(label, row.split or found.split))
    lost = [
        (printable(each, 200), f"{table.name} lists it, but there is no such readable image.")
        for each in rest
    ]
    return places, lost


def _unique_bases(rows: Mapping[str, Place]) -> dict[str, str]:
    """The paths of a table by the last part of each, where no two have the same one."""
    found: dict[str, str | None] = {}
    for path in rows:
        base = path.rsplit("/", 1)[-1]
        found[base] = None if base in found else path
    return {base: path for base, path in found.items() if path is not None}


def _by_folder(folders: list[tuple[str, ...]]) -> list[Place]:
    rest = _below_common_root(folders)
    splits: list[Split | None] = [split_named(each[0]) if each else None for each in rest]
    if splits and all(splits):
        rest = _below_common_root([each[1:] for each in rest])
        if len(set(splits)) == 1:  # one part alone is the whole data set
            splits = [None] * len(splits)
    else:
        splits = [None] * len(rest)
    return [
        Place(clean_label("/".join(each)), split) for each, split in zip(rest, splits, strict=True)
    ]


def _below_common_root(folders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    depth = 0
    while folders and all(
        len(each) > depth and each[depth] == folders[0][depth] for each in folders
    ):
        if depth == 0 and split_named(folders[0][0]):
            break
        depth += 1
    return [each[depth:] for each in folders]


def class_names(labels: Iterable[str | None]) -> tuple[str, ...]:
    """Sort the names of classes: numbers by their value, other names by the alphabet."""
    found = {each for each in labels if each is not None}
    if all(re.fullmatch(r"-?\d{1,18}", each) for each in found):
        return tuple(sorted(found, key=lambda each: (int(each), each)))
    return tuple(sorted(found, key=lambda each: (each.casefold(), each)))

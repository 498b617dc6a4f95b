"""Which files of folders and archives are listed, and how much of an archive is read."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CLUTTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Limits:
    """How much of an archive is read.

    Attributes:
        entries: most entries of its list.
        archive_bytes: largest size of the archive.
        unpacked_bytes: most bytes of all its files together.
    """

    entries: int
    archive_bytes: int
    unpacked_bytes: int


def walk_files(folder: Path) -> Iterator[Path]:
    """Walk a folder in alphabetical order, without hidden files."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not is_hidden(each))
        yield from (Path(parent) / each for each in sorted(files) if not is_hidden(each))


def is_hidden(name: str) -> bool:
    """Whether files of that name are left out: hidden ones, and those that systems add."""
    return (name.startswith(".") and name != "..") or name in _CLUTTER

"""A table of scores that outlives the process that writes it: rows are appended and flushed.

Given the same file again it goes on where it stopped. A row is one line, so a half-written last one
is known by its missing end and dropped.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vae_core.basics.errors import UserError
from vae_core.basics.files import replace_file
from vae_core.data.decode import printable

T = TypeVar("T")

_FORMULA = ("=", "+", "-", "@")


class TableError(UserError, ValueError):
    """A file that scores cannot be added to, with what to do about it."""


class ScoreTable:
    """A CSV file of rows by file name.

    Attributes:
        protocol: how its scores are made; every row says so.
        names: of the columns.
        before: how many rows it had when it was taken up.
    """

    def __init__(self, path: Path, columns: Iterable[str], protocol: Mapping[str, Any]) -> None:
        """Begin the table, or take up what another process left.

        Raises:
            TableError: if the file is no such table, or its scores are made in another way.
            OSError: if it cannot be read or written.
        """
        self.protocol = {name: as_cell(value) for name, value in protocol.items()}
        self.names = ["file", "ok", "error", *columns, *protocol]
        self._path = path
        self._done: Counter[str] = Counter()
        self.failed = 0
        self._take_up()
        self.before = self._done.total()

    def missing(self, files: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
        """The files that have no row yet; of several by one name, those after the first so many."""
        done = self._done.copy()
        for name, content in files:
            if done[as_cell(name)] > 0:
                done[as_cell(name)] -= 1
            else:
                yield name, content

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; it is on its way to the disk when this returns."""
        self._write([{**row, **self.protocol}])
        self.failed += not row["ok"]

    def _write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(self._lines(rows))

    def _lines(self, rows: Iterable[Mapping[str, Any]]) -> str:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.names, lineterminator="\r\n")
        writer.writerows({name: as_cell(value) for name, value in row.items()} for row in rows)
        return text.getvalue()

    def _take_up(self) -> None:
        header = self._lines([{name: name for name in self.names}])
        if _is_begun(self._path, header.encode()):
            replace_file(self._path, header)
            return
        # the half line at the end may also be half a character
        with self._path.open(encoding="utf-8", errors="replace", newline="") as file:
            if file.readline() != header:
                raise TableError(f"{self._path} is no table of such scores; name another file.")
            whole = (line for line in file if line.endswith("\n"))
            for row in csv.DictReader(whole, self.names):
                self._check(row)
                self._done[row["file"]] += 1
                self.failed += row["ok"] != as_cell(True)
        _drop_half_a_line(self._path)

    def _check(self, row: Mapping[str, str]) -> None:
        for name, value in self.protocol.items():
            if row[name] != value:
                raise TableError(
                    f"The scores in {self._path} are of {name} = {row[name] or 'none'}, not "
                    f"{value or 'none'}; name another file."
                )


def _is_begun(path: Path, header: bytes) -> bool:
    """Whether there is no more than a part of the header.

    Raises:
        TableError: if no file can be there.
    """
    if not path.parent.is_dir():
        raise TableError(f"There is no folder {path.parent} for {path.name}; make it first.")
    if not path.exists():
        return True
    if not path.is_file():
        raise TableError(f"{path} is not a file; name a file, which is made if it is not there.")
    with path.open("rb") as file:
        start = file.read(len(header))
    return len(start) < len(header) and header.startswith(start)


def _drop_half_a_line(path: Path) -> None:
    """Of a file that ends within a line, the last one."""
    with path.open("rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        last = b""
        while end > 0 and b"\n" not in last:
            end = max(0, end - 65_536)
            file.seek(end)
            last = file.read(size - end)
        file.truncate(end + last.rfind(b"\n") + 1)


def as_cell(value: Any) -> str:
    """A value as one cell of a table: lists by spaces, no line breaks, nothing for what is unknown.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    if value is None or value != value:
        return ""
    if isinstance(value, list):
        return " ".join(map(as_cell, value)).strip()
    text = printable(str(value))
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text

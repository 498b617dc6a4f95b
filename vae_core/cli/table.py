"""A CSV table of scores that grows row by row, and can be continued after an interruption.

A new process with the same file appends the missing rows. A row is one line, so a half-written last
row is recognised by its missing line end, and removed.
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
from vae_core.basics.text import printable, without_formula

T = TypeVar("T")


class TableError(UserError, ValueError):
    """Scores cannot be added to a file; the message says what to do."""


class ScoreTable:
    """A CSV file with one row per scored file.

    Attributes:
        protocol: how the scores are made; part of every row.
        names: names of the columns.
        before: number of rows when the table was opened.
    """

    def __init__(self, path: Path, columns: Iterable[str], protocol: Mapping[str, Any]) -> None:
        """Create the table, or open the table of a former process.

        Raises:
            TableError: if the file is not such a table, or its scores have another protocol.
            OSError: if the file cannot be read or written.
        """
        self.protocol = {name: as_cell(value) for name, value in protocol.items()}
        self.names = ["file", "ok", "error", *columns, *protocol]
        self._path = path
        self._done: Counter[str] = Counter()
        self.failed = 0
        self._open_or_create()
        self.before = self._done.total()

    def missing(self, files: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
        """Iterate over the files without a row. Files with equal names are counted."""
        done = self._done.copy()
        for name, content in files:
            if done[as_cell(name)] > 0:
                done[as_cell(name)] -= 1
            else:
                yield name, content

    def append(self, row: Mapping[str, Any]) -> None:
        """Append a row and hand it to the operating system."""
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

    def _open_or_create(self) -> None:
        header = self._lines([{name: name for name in self.names}])
        if _is_begun(self._path, header.encode()):
            replace_file(self._path, header)
            return
        # a half-written last line may also end in a half-written character
        with self._path.open(encoding="utf-8", errors="replace", newline="") as file:
            if file.readline() != header:
                raise TableError(f"{self._path} is not a table of such scores; use another file.")
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
                    f"The scores in {self._path} have {name} = {row[name] or 'none'}, not "
                    f"{value or 'none'}; use another file."
                )


def _is_begun(path: Path, header: bytes) -> bool:
    """Whether the file does not exist yet, or contains only a part of the header.

    Raises:
        TableError: if no file can be created at this path.
    """
    if not path.parent.is_dir():
        raise TableError(f"The folder {path.parent} for {path.name} does not exist; create it.")
    if not path.exists():
        return True
    if not path.is_file():
        raise TableError(f"{path} is not a file; use the path of a new or existing file.")
    with path.open("rb") as file:
        start = file.read(len(header))
    return len(start) < len(header) and header.startswith(start)


def _drop_half_a_line(path: Path) -> None:
    """Remove the last line of a file if it has no line end."""
    with path.open("rb+") as file:
        size = end = file.seek(0, os.SEEK_END)
        last = b""
        while end > 0 and b"\n" not in last:
            end = max(0, end - 65_536)
            file.seek(end)
            last = file.read(size - end)
        file.truncate(end + last.rfind(b"\n") + 1)


def as_cell(value: Any) -> str:
    """Write a value as one cell: lists with spaces, no line breaks, empty if unknown.

    A text that a spreadsheet would read as a formula gets an apostrophe in front.
    """
    if value is None or value != value:
        return ""
    if isinstance(value, list):
        return " ".join(map(as_cell, value)).strip()
    text = printable(str(value))
    return without_formula(text) if isinstance(value, str) else text

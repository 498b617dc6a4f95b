"""A CSV table of scores that grows row by row, and can be continued after an interruption.

A new process with the same file appends the missing rows. A row is one line, so a half-written last
row is recognised by its missing line end, and removed. A row of a score belongs to one content of
its file. A row of a failure is replaced when its file is tried again.
"""

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from vae_core.basics.errors import UserError
from vae_core.basics.files import replace_file, replacing
from vae_core.basics.text import printable, without_formula

T = TypeVar("T")
_DIGEST = "sha256"
_NEW = (_DIGEST, "likelihood", "pixels", "false_alarms")
"""Columns that the tables of version 0.1.0 do not have."""


class TableError(UserError, ValueError):
    """Scores cannot be added to a file; the message says what to do."""


class ScoreTable:
    """A CSV file with one row per scored file.

    Attributes:
        protocol: how the scores are made; part of every row.
        names: names of the columns. Tables of version 0.1.0 have no digests; in them, a name
            alone says which file a row belongs to.
        before: number of rows when the table was opened.
        failed: number of rows of files that could not be read, and that were not tried again yet.
    """

    def __init__(self, path: Path, columns: Iterable[str], protocol: Mapping[str, Any]) -> None:
        """Create the table, or open the table of a former process.

        Raises:
            TableError: if the file is not such a table, or its scores have another protocol.
            OSError: if the file cannot be read or written.
        """
        self.protocol = {name: as_cell(value) for name, value in protocol.items()}
        self.names = ["file", "ok", "error", _DIGEST, *columns, *protocol]
        self._path = path
        self._done: Counter[tuple[str, str]] = Counter()
        self._failures: Counter[str] = Counter()
        self._replaced: Counter[str] = Counter()
        self._open_or_create()
        self.before = self._done.total() + self.failed

    @property
    def failed(self) -> int:
        return self._failures.total()

    def missing(self, files: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
        """Iterate over the files without the row of a score. Files with equal names are counted.

        Another content under an old name has no row yet. A file that could not be read is tried
        again.
        """
        done = self._done.copy()
        for name, content in files:
            row = next((key for key in _keys(name, content) if done[key] > 0), None)
            if row is None:
                yield name, content
            else:
                done[row] -= 1

    def append(self, row: Mapping[str, Any]) -> None:
        """Append a row and hand it to the operating system."""
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(self._line({**row, **self.protocol}))
        name = as_cell(row["file"])
        if self._failures[name] > 0:
            self._failures[name] -= 1
            self._replaced[name] += 1

    def drop_replaced(self) -> None:
        """Remove the rows of failures that newer rows have replaced."""
        if not self._replaced.total():
            return
        with self._open() as lines, replacing(self._path.resolve()) as file:
            file.write(self._header().encode())
            for line in lines:
                row = self._row(line)
                if row["ok"] == as_cell(False) and self._replaced[row["file"]] > 0:
                    self._replaced[row["file"]] -= 1
                else:
                    file.write(line.encode())

    def _header(self) -> str:
        return self._line({name: name for name in self.names})

    def _line(self, row: Mapping[str, Any]) -> str:
        text = io.StringIO(newline="")
        ignored = "raise" if _DIGEST in self.names else "ignore"
        writer = csv.DictWriter(text, self.names, lineterminator="\r\n", extrasaction=ignored)
        writer.writerow({name: as_cell(value) for name, value in row.items()})
        return text.getvalue()

    def _row(self, line: str) -> dict[str, str]:
        cells = next(csv.reader([line]), [])
        return {name: cell for name, cell in zip_longest(self.names, cells, fillvalue="") if name}

    @contextmanager
    def _open(self) -> Iterator[Iterator[str]]:
        """Read the header; give the whole lines after it.

        Raises:
            TableError: if the header is not that of this table, with or without the new columns.
        """
        # a half-written last line may also end in a half-written character
        with self._path.open(encoding="utf-8", errors="replace", newline="") as file:
            header = file.readline()
            if header != self._header():
                self.names = [name for name in self.names if name not in _NEW]
            if header != self._header():
                raise TableError(f"{self._path} is not a table of such scores; use another file.")
            yield (line for line in file if line.endswith("\n") and line.strip())

    def _open_or_create(self) -> None:
        if _is_begun(self._path, self._header().encode()):
            replace_file(self._path, self._header())
            return
        with self._open() as lines:
            for line in lines:
                row = self._row(line)
                self._check(row)
                self._count(row)
        _drop_half_a_line(self._path)
        self.drop_replaced()  # a process that was killed may have left some

    def _count(self, row: Mapping[str, str]) -> None:
        """Count a row of the file. It replaces the failures under its name before it."""
        name = row["file"]
        self._replaced[name] += self._failures.pop(name, 0)
        if row["ok"] == as_cell(True):
            self._done[name, row.get(_DIGEST, "")] += 1
        else:
            self._failures[name] += 1

    def _check(self, row: Mapping[str, str]) -> None:
        for name, value in self.protocol.items():
            if name in self.names and row[name] != value:
                raise TableError(
                    f"The scores in {self._path} have {name} = {row[name] or 'none'}, not "
                    f"{value or 'none'}; use another file."
                )


def _keys(name: str, content: object) -> list[tuple[str, str]]:
    """The names and digests that the row of a file may have."""
    cell = as_cell(name)
    digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else None
    return [(cell, ""), *([(cell, digest)] if digest else ())]


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

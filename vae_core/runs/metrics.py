"""Reading the metrics of a run while they grow.

The file has one JSON object a line and an epoch a line. It only grows, except when a run goes on
from its checkpoint: then another file takes its place.
"""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

Row = dict[str, Any]


@dataclass(frozen=True)
class Metrics:
    """The rows that a file of metrics holds.

    Attributes:
        rows: one an epoch, from the first epoch on.
        unreadable: how many lines could not be read, as a damaged disk or a bad copy leaves them.
    """

    rows: tuple[Row, ...] = ()
    unreadable: int = 0


def _as_it_is(row: Row) -> Row:
    return row


class Reader:
    """Follow one file of metrics. Each read takes the new lines alone. Threads may share a reader.

    Args:
        path: the file; it need not exist yet.
        older: what to keep of a row once a newer one follows, to save memory.
    """

    def __init__(self, path: Path, older: Callable[[Row], Row] = _as_it_is) -> None:
        self.path = path
        self._older = older
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._rows: list[Row] = []
        self._unreadable = self._offset = self._file = 0

    def read(self) -> Metrics:
        """All rows that are in the file now; a half-written last line waits for the next read."""
        with self._lock:
            try:
                with self.path.open("rb") as file:
                    self._catch_up(file)
            except FileNotFoundError:
                self._forget()
            return Metrics(tuple(self._rows), self._unreadable)

    def _catch_up(self, file: BinaryIO) -> None:
        about = os.fstat(file.fileno())
        if about.st_ino != self._file or about.st_size < self._offset:
            self._forget()  # another file in its place: the run went on from a checkpoint
            self._file = about.st_ino
        file.seek(self._offset)
        whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        for line in whole.splitlines():
            self._add(line)

    def _add(self, line: bytes) -> None:
        row = _parsed(line)
        if row is None:
            self._unreadable += 1
            return
        if self._rows:
            self._rows[-1] = self._older(self._rows[-1])
        self._rows.append(row)


def _parsed(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and {"epoch", "train", "validation"} <= row.keys() else None

"""Read the metrics of a run while they grow.

The file has one line per epoch, and each line is a JSON object. A figure that is NaN or infinite is
null in the file and NaN in a row. The file only grows, except when a run continues from its
checkpoint: then another file replaces it.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from vae_core.basics.plain_files import NotAPlainFile, open_plain
from vae_core.basics.strict_json import nan_for_null, strict_json
from vae_core.runs.checked import checked_figures

MAX_BYTES = 500_000_000
"""Most bytes of a file of metrics; the longest runs of the largest models write less."""
_LONGEST_LINE = 500_000
_MOST_ROWS = 100_000  # epochs of the longest run
_MOST_UNREADABLE = 1000

Row = dict[str, Any]


@dataclass(frozen=True)
class Metrics:
    """The rows of a file of metrics.

    Attributes:
        rows: one per epoch, from the first epoch on.
        unreadable: number of lines that could not be read (after a disk error or a bad copy).
        problem: why the file cannot be read at all, such as a link in its place; else empty.
    """

    rows: tuple[Row, ...] = ()
    unreadable: int = 0
    problem: str = ""


def _unchanged(row: Row) -> Row:
    return row


class Reader:
    """Follow one file of metrics. Each read parses the new lines only. Threads may share a reader.

    Args:
        path: the file; it need not exist yet.
        older: shortens a row when a newer one follows, to save memory.
    """

    def __init__(self, path: Path, older: Callable[[Row], Row] = _unchanged) -> None:
        self.path = path
        self._older = older
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._rows: list[Row] = []
        self._unreadable = self._offset = self._file = 0

    def read(self) -> Metrics:
        """Return all rows now in the file. A half-written last line is left to the next read."""
        with self._lock:
            problem = ""
            try:
                with open_plain(self.path) as file:
                    problem = self._catch_up(file)
            except FileNotFoundError:
                self._forget()
            except OSError as error:
                self._forget()
                problem = str(error) if isinstance(error, NotAPlainFile) else str(error.strerror)
            return Metrics(tuple(self._rows), self._unreadable, problem)

    def _catch_up(self, file: BinaryIO) -> str:
        """Parse the new lines; return why the file cannot be read, else an empty text."""
        about = os.fstat(file.fileno())
        if about.st_ino != self._file or about.st_size < self._offset:
            self._forget()  # the file was replaced: the run continued from a checkpoint
            self._file = about.st_ino
        if about.st_size > MAX_BYTES:
            return f"it has {about.st_size / 1e6:,.0f} MB, more than a run writes"
        file.seek(self._offset)
        while (line := file.readline(_LONGEST_LINE)).endswith(b"\n"):
            self._offset += len(line)
            self._add(line.rstrip(b"\r\n"))
            if self._unreadable > _MOST_UNREADABLE or len(self._rows) > _MOST_ROWS:
                return "its lines are no metrics of a run"
        return "one of its lines is too long" if len(line) == _LONGEST_LINE else ""

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
        row = checked_figures(nan_for_null(json.loads(line)))
    except (ValueError, RecursionError):
        return None
    return row if _is_row(row) else None


def _is_row(row: Row) -> bool:
    parts = [row.get("train"), row.get("validation"), row.get("importance", {})]
    return "epoch" in row and all(isinstance(part, dict) for part in parts)


def line_of(row: Mapping[str, Any]) -> str:
    """Write the row of an epoch as a line of the file."""
    return strict_json(dict(row)) + "\n"


def kept_epoch_of(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Collect what is known about the kept epoch after the epoch of this row.

    Returns:
        The kept epoch, its value of the criterion, that of the last epoch and that of the untrained
        model, the weight of the KL, and the criterion with its protocol. None for a row of an
        earlier version, whose weights were chosen by the validation ELBO.
    """
    if not {"kept", "criterion"} <= row.keys():
        return None
    criterion = {n: v for n, v in row["criterion"].items() if not n.startswith("value")}
    return {
        **row["kept"],
        "last_epoch": row["epoch"],
        "last_value": row["criterion"]["value"],
        "kl_weight": row["kl_weight"],
        "criterion": criterion,
    }

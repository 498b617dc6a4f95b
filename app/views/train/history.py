"""What a run has recorded so far, read as it grows.

``metrics.jsonl`` only grows, except when a run is taken up again from its checkpoint; so each look
reads the new lines alone, and a page that watches a long run costs it nothing.
"""

import json
import math
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

Row = dict[str, Any]
_BY_DIMENSION = ("kl_by_dimension", "mean_variance_by_dimension")


@dataclass(frozen=True)
class History:
    """The rows of a run, one an epoch.

    Attributes:
        rows: from the first epoch on; figures by latent dimension are in the last one only.
        unreadable: lines that could not be read, as a damaged disk or a bad copy leaves them.
    """

    rows: Sequence[Row] = ()
    unreadable: int = 0

    @property
    def last(self) -> Row | None:
        """The row of the newest epoch."""
        return self.rows[-1] if self.rows else None

    @property
    def epochs(self) -> list[int]:
        """The epochs that have a row."""
        return [row["epoch"] for row in self.rows]

    @property
    def version(self) -> tuple[int, float]:
        """Changes whenever anything was recorded."""
        return len(self.rows), self.rows[-1].get("seconds", 0.0) if self.rows else 0.0

    def column(self, part: str, name: str) -> list[float]:
        """One figure over the epochs, such as ``("validation", "elbo")``; NaN where there is none.

        What is not finite is NaN too: it cannot be drawn.
        """
        values = [row.get(part, {}).get(name, math.nan) for row in self.rows]
        return [value if math.isfinite(value) else math.nan for value in values]

    def having(self, part: str) -> "History":
        """The rows that have this part, such as ``"importance"``."""
        return History([row for row in self.rows if part in row], self.unreadable)


class Reader:
    """Follows the ``metrics.jsonl`` of one run folder; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "metrics.jsonl"
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._rows: list[Row] = []
        self._unreadable = self._offset = self._file = 0

    def read(self) -> History:
        """All that is recorded by now; a half-written last line waits for the next look."""
        with self._lock:
            try:
                with self.path.open("rb") as file:
                    self._catch_up(file)
            except FileNotFoundError:
                self._forget()
            return History(tuple(self._rows), self._unreadable)

    def _catch_up(self, file: BinaryIO) -> None:
        about = os.fstat(file.fileno())
        if about.st_ino != self._file or about.st_size < self._offset:
            self._forget()  # another file in its place: taken up again from a checkpoint
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
            last = self._rows[-1]
            kept = {k: v for k, v in last["validation"].items() if k not in _BY_DIMENSION}
            self._rows[-1] = {**last, "validation": kept}
        self._rows.append(row)


def _parsed(line: bytes) -> Row | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and {"epoch", "train", "validation"} <= row.keys() else None

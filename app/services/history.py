"""The training curves of a run, read while the run grows.

Each call reads only the new lines, so watching a long run is cheap.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.services.byte_cache import cached
from vae_core.runs import metrics
from vae_core.runs.metrics import Row
from vae_core.runs.run import METRICS_FILE, Run

_BY_DIMENSION = ("kl_by_dimension", "mean_variance_by_dimension")


@dataclass(frozen=True)
class History:
    """The rows of a run, one per epoch.

    Attributes:
        rows: from the first epoch on; only the last row has figures by latent dimension.
        unreadable: number of lines that could not be read (damaged disk, bad copy).
        problem: why the file cannot be read at all; else empty.
    """

    rows: Sequence[Row] = ()
    unreadable: int = 0
    problem: str = ""

    @property
    def last(self) -> Row | None:
        """Row of the newest epoch."""
        return self.rows[-1] if self.rows else None

    @property
    def epochs(self) -> list[int]:
        """Epochs that have a row."""
        return [row["epoch"] for row in self.rows]

    @property
    def version(self) -> tuple[int, float]:
        """Version key that changes whenever a row is added."""
        return len(self.rows), self.rows[-1].get("seconds", 0.0) if self.rows else 0.0

    def column(self, part: str, name: str) -> list[float]:
        """One figure over the epochs, such as ``("validation", "elbo")``; NaN if missing.

        Infinite values become NaN too, because they cannot be drawn.
        """
        values = [row.get(part, {}).get(name, math.nan) for row in self.rows]
        return [value if _is_finite(value) else math.nan for value in values]

    def having(self, part: str) -> "History":
        """History of the rows that have this part, such as ``"importance"``."""
        return History([row for row in self.rows if part in row], self.unreadable)


class Reader:
    """Reads the history of one run folder while it grows. Threads may share a reader."""

    def __init__(self, folder: Path) -> None:
        self._metrics = metrics.Reader(folder / METRICS_FILE, _without_dimensions)

    def read(self) -> History:
        """Return everything recorded so far. A half-written last line is read by the next call."""
        found = self._metrics.read()
        return History(found.rows, found.unreadable, found.problem)


def history(run: Run) -> History:
    """Everything that a run has recorded so far."""
    return read_history(run.folder)


def read_history(folder: Path) -> History:
    """Everything that the run in a folder has recorded so far."""
    return _reader(str(folder)).read()


@cached(max_entries=64)
def _reader(folder: str) -> Reader:
    return Reader(Path(folder))


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _without_dimensions(row: Row) -> Row:
    kept = {name: v for name, v in row["validation"].items() if name not in _BY_DIMENSION}
    return {**row, "validation": kept}

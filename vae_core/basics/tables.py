"""Tables as CSV that no spreadsheet reads as formulas."""

import csv
import io
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any

from vae_core.basics.text import printable, without_formula


def csv_text(columns: Mapping[str, Iterable[Any]]) -> str:
    """Write a table, given by columns, as CSV; shorter columns end with empty cells.

    The cell of a number that is not known (NaN) is empty.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([guarded(name) for name in columns])
    for row in zip_longest(*columns.values(), fillvalue=""):
        writer.writerow(["" if cell != cell else guarded(cell) for cell in row])
    return out.getvalue()


def guarded(value: Any) -> Any:
    """A cell that no spreadsheet reads as a formula; numbers stay as they are."""
    return without_formula(printable(value)) if isinstance(value, str) else value

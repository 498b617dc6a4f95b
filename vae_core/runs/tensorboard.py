"""Write the curves of runs as event files of TensorBoard, by the optional package tensorboardX."""

import importlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vae_core.basics.errors import UserError
from vae_core.runs.comparison import Compared
from vae_core.runs.metrics import Reader, Row
from vae_core.runs.run import METRICS_FILE

_PARTS = ("train", "validation", "importance")
_ALSO = ("kl_weight", "learning_rate")


class NoTensorboard(UserError, RuntimeError):
    """The package that writes event files is not installed."""

    SENTENCE = (
        "Event files of TensorBoard need the package tensorboardX, which is not installed: "
        "python -m pip install tensorboardX."
    )


def write_events(runs: Sequence[Compared], names: Sequence[str], folder: Path) -> list[Path]:
    """Write a folder of event files for each run: every figure of its training, by epoch.

    Args:
        names: a different name for each run, which its folder gets.

    Returns:
        The folders, in the order of the runs.

    Raises:
        NoTensorboard: if the package tensorboardX is not installed.
        OSError: if a folder cannot be written.
    """
    writer_class = _writer_class()
    folders = []
    for name, each in zip(_folder_names(names), runs, strict=True):
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        writer = writer_class(str(target))
        try:
            for row in Reader(each.run.folder / METRICS_FILE).read().rows:
                for tag, value in scalars(row):
                    writer.add_scalar(tag, value, row["epoch"])
        finally:
            writer.close()
        folders.append(target)
    return folders


def scalars(row: Row) -> Iterator[tuple[str, float]]:
    """List the figures of an epoch by tag: ``("validation/elbo", -87.3)``; no lists and no NaN."""
    for part in _PARTS:
        found = row.get(part)
        for name, value in found.items() if isinstance(found, dict) else ():
            if _is_figure(value):
                yield f"{part}/{name}", float(value)
    for name in _ALSO:
        if _is_figure(row.get(name)):
            yield name, float(row[name])


def _is_figure(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _folder_names(names: Sequence[str]) -> list[str]:
    """Names of folders: letters, numbers and a few signs of the names, each name once."""
    found: list[str] = []
    for name in names:
        plain = "".join(c if c.isalnum() or c in " =·.-_" else "-" for c in name).strip(" .")[:100]
        plain = plain or "run"
        count = sum(each == plain or each.startswith(f"{plain} (") for each in found)
        found.append(f"{plain} ({count + 1})" if count else plain)
    return found


def _writer_class() -> Any:
    try:
        return importlib.import_module("tensorboardX").SummaryWriter
    except ImportError as error:
        raise NoTensorboard(NoTensorboard.SENTENCE) from error

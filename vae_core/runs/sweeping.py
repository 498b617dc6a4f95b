"""Remove temporary files that processes left over when they were killed while they wrote."""

import contextlib
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from vae_core.basics.files import is_temporary
from vae_core.basics.plain_files import names_in
from vae_core.runs.reserve import RESERVE_FILE
from vae_core.runs.run import (
    CALIBRATION_FILE,
    CONTROL_FILE,
    DETECTION_FILE,
    FILES,
    OPERATING_POINT_FILE,
    SNAPSHOTS_FOLDER,
)

_LEFT_OVER = ("resume.partial", RESERVE_FILE)
"""An unfinished checkpoint of an older version, and the space that a killed process kept."""
_OF_OTHERS = (CONTROL_FILE, CALIBRATION_FILE, DETECTION_FILE, OPERATING_POINT_FILE)
"""Files that another process may be writing while a process trains the run."""
_WRITTEN = 60.0  # seconds after which nobody writes to a temporary file any more
_UNPACKED = 3600.0  # seconds after which no archive is being unpacked any more
_MOST_NAMES = 100_000
ADDING = ".adding-"
"""How the name of a folder begins in which a run is unpacked before it is added."""


def sweep(folder: Path) -> None:
    """Remove the temporary files in a run folder. The caller holds the lock of the run."""
    for name in list(names_in(folder, _MOST_NAMES)):
        if name in _LEFT_OVER or _is_left_over(folder / name, (*FILES, RESERVE_FILE)):
            _remove(folder / name)
    snapshots = folder / SNAPSHOTS_FOLDER
    for name in list(names_in(snapshots, _MOST_NAMES)):
        if is_temporary(name, name[1:].rpartition(".")[0]):
            _remove(snapshots / name)


def sweep_store(folder: Path, file: str) -> None:
    """Remove old temporary files of one file of a store, and runs that were half added to it."""
    for name in list(names_in(folder, _MOST_NAMES)):
        if is_temporary(name, file) and _is_old(folder / name):
            _remove(folder / name)
        elif name.startswith(ADDING) and _is_old(folder / name, _UNPACKED):
            shutil.rmtree(folder / name, ignore_errors=True)


def _is_left_over(path: Path, files: Collection[str]) -> bool:
    file = next((each for each in files if is_temporary(path.name, each)), None)
    return file is not None and (file not in _OF_OTHERS or _is_old(path))


def _is_old(path: Path, seconds: float = _WRITTEN) -> bool:
    try:
        return time.time() - path.lstat().st_mtime > seconds
    except OSError:
        return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()

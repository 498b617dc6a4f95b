"""A little space on the disk that a run keeps, so that its last status can always be written.

On a full disk not even a small file can be replaced. A run that finds the disk full first gives
back its reserve, and then says so in its status.
"""

import contextlib
import os
from pathlib import Path

from vae_core.basics.files import replace_plain

RESERVE_FILE = ".reserve"
_BYTES = 16_384  # a status, its folder entry and the traceback in a log take a few blocks of 4 kB


def keep_reserve(folder: Path) -> None:
    """Take the reserve of a run folder.

    Raises:
        OSError: if the disk has too little space.
    """
    replace_plain(folder / RESERVE_FILE, os.urandom(_BYTES))  # takes space if files are compressed


def release_reserve(folder: Path) -> None:
    """Give the reserve of a run folder back, if it has one."""
    with contextlib.suppress(OSError):
        (folder / RESERVE_FILE).unlink(missing_ok=True)

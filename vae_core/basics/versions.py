"""Tell from the file system whether a file changed, without opening it.

A file whose content changes gets another time of its last change, which users cannot set. Two
changes within one tick of the file system's clock have the same time, so a file that has just
changed may change again unseen. Such a file is not settled, and has to be read again.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICK = 2.0  # seconds; the coarsest clock of a common file system, which is that of FAT


@dataclass(frozen=True)
class Version:
    """What tells one content of a file from another: which file, how large, and when changed."""

    device: int
    inode: int
    mode: int
    size: int
    modified: int
    changed: int

    def is_settled(self) -> bool:
        """Whether a later change of the file will be seen in its version."""
        return max(self.modified, self.changed) / 1e9 < time.time() - _TICK


def version_of(path: str | Path) -> Version | None:
    """Version of what is at a path, never through a link; None if nothing can be found there."""
    try:
        about = os.lstat(path)
    except OSError:
        return None
    return Version(
        about.st_dev,
        about.st_ino,
        about.st_mode,
        about.st_size,
        about.st_mtime_ns,
        about.st_ctime_ns,
    )

"""Temporary folders that are known to be left over when their process was killed.

A process holds a lock in each of its folders. The operating system releases the lock when the
process ends, in whatever way, so the next process can tell what is in use from what is left over.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

LOCK_FILE = ".held"


class HeldFolder:
    """A new temporary folder, which this process holds until it is closed or ends.

    Attributes:
        path: the folder, for this user alone. One file in it is the lock.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        """Make the folder. A file system without locks gives one that is not swept.

        Raises:
            OSError: if that is not possible.
        """
        while not self._make(parent, prefix):
            self.close()  # another process swept it before the lock was held

    def _make(self, parent: Path, prefix: str) -> bool:
        """Make a folder and lock it; return whether it is there."""
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        self._lock = FileLock(self.path / LOCK_FILE, thread_local=False)
        with contextlib.suppress(OSError, NotImplementedError):
            self._lock.acquire()
        return (self.path / (LOCK_FILE if self._lock.is_locked else "")).exists()

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def sweep_held(parent: Path, prefix: str) -> int:
    """Remove the folders of killed processes, and return how many there were.

    Only real folders of this user with a lock that nobody holds are touched.
    """
    swept = 0
    with contextlib.suppress(OSError):
        for path in parent.glob(f"{prefix}*"):
            swept += _is_own(path) and _removed(path)
    return swept


def _is_own(path: Path) -> bool:
    try:
        about, lock = path.lstat(), (path / LOCK_FILE).lstat()
    except OSError:
        return False
    is_mine = not hasattr(os, "getuid") or about.st_uid == lock.st_uid == os.getuid()
    return is_mine and stat.S_ISDIR(about.st_mode) and stat.S_ISREG(lock.st_mode)


def _removed(path: Path) -> bool:
    """Remove a folder unless another process, or this one, holds it."""
    try:
        with FileLock(path / LOCK_FILE, timeout=0):
            shutil.rmtree(path, ignore_errors=True)
    except (Timeout, OSError, NotImplementedError):
        return False
    return True

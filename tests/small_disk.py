"""A small file system of its own, which a test can fill.

It needs root. Without root, and in a container that may not mount, the tests are skipped. If
``ELBO_ROOM_REQUIRE_SMALL_DISK`` is set, they fail instead.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_BLOCK = 4096


@dataclass(frozen=True)
class SmallDisk:
    """A mounted file system.

    Attributes:
        folder: where it is mounted.
    """

    folder: Path

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def leave(self, free: int) -> None:
        """Fill it until at most ``free`` bytes are left."""
        self.empty()
        size = max(0, shutil.disk_usage(self.folder).free - free)
        with contextlib.suppress(OSError), self._filler.open("wb") as file:
            file.write(bytes(-(-size // _BLOCK) * _BLOCK))

    def empty(self) -> None:
        """Remove what :meth:`leave` filled it with."""
        self._filler.unlink(missing_ok=True)

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Let nobody write to it, not even root, while the block runs."""
        self._remount("ro")
        try:
            yield
        finally:
            self._remount("rw")

    def _remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.folder)], check=True)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Mount a file system of this many bytes in a new folder, and unmount it afterwards."""
    folder.mkdir()
    _mount(folder, size)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(folder: Path, size: int) -> None:
    problem = "a small file system needs root"
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("mount"):
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return
        problem = f"no small file system can be mounted here: {done.stderr.strip()}"
    if os.environ.get("ELBO_ROOM_REQUIRE_SMALL_DISK"):
        pytest.fail(problem)
    pytest.skip(problem)

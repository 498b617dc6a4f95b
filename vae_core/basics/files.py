"""Atomic writing of files: a reader never sees half of one."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path

_UMASK = os.umask(0o077)  # can be read by setting it alone, for the whole process: once, here
os.umask(_UMASK)


def replace_file(path: Path, content: bytes | str) -> None:
    """Replace the file at ``path`` atomically. After a crash it is the old one or the new one.

    The file keeps its mode, and a symbolic link to it stays a link. A new file gets the default
    mode.

    Raises:
        OSError: if it cannot be written (a full disk, say); the old file is then still whole.
    """
    data = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    mode = _mode_of(target)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(PermissionError):  # of a file system that knows no such modes
            Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode_of(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0o666 & ~_UMASK

"""Atomic writing of files: a reader never sees half of one."""

import contextlib
import io
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_UMASK = os.umask(0o077)  # can be read by setting it alone, for the whole process: once, here
os.umask(_UMASK)


def replace_file(path: Path, content: bytes | str) -> None:
    """Replace the file at ``path`` atomically. After a crash it is the old one or the new one.

    The file keeps its mode, and a symbolic link to it stays a link. A new file gets the default
    mode. For the files of a folder that somebody else may have made, use :func:`replace_plain`.

    Raises:
        OSError: if it cannot be written (a full disk, say); the old file is then still whole.
    """
    try:
        target = os.path.realpath(path, strict=True)
    except FileNotFoundError:
        target = os.path.realpath(path)
    replace_plain(Path(target), content)


def replace_plain(path: Path, content: bytes | str) -> None:
    """Replace a file as :func:`replace_file` does, but never write through a link.

    If a symbolic link is at ``path``, a new file takes the place of the link.

    Raises:
        OSError: as for :func:`replace_file`.
    """
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file that takes the place of the one at ``path`` when the block ends without error.

    The new content is written beside it, into a file with a temporary name, which
    :func:`is_temporary` recognises. After an error, the temporary file is removed.

    Raises:
        OSError: if the file cannot be written, also where the block turns that into another error,
            as PyTorch's writer does. The error names ``path``.
    """
    try:
        with _beside(path) as file:
            yield file
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)
        raise


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[BinaryIO]:
    mode = _mode_of(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    raw = _NotingFile(handle, "wb")
    try:
        with io.BufferedWriter(raw) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(PermissionError):  # of a file system that knows no such modes
            Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if raw.refused is not None and isinstance(error, Exception):
            raise raw.refused from error
        raise


class _NotingFile(io.FileIO):
    """A file that notes why it could not be written, in ``refused``."""

    refused: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.refused = error
            raise


def is_temporary(name: str, of: str) -> bool:
    """Whether a file's name is a temporary one of :func:`replacing`, for a file called ``of``."""
    return re.fullmatch(rf"\.{re.escape(of)}\.[a-z0-9_]{{8}}", name) is not None


def _mode_of(path: Path) -> int:
    try:
        about = path.lstat()
    except FileNotFoundError:
        return 0o666 & ~_UMASK
    return about.st_mode & 0o777 if stat.S_ISREG(about.st_mode) else 0o666 & ~_UMASK

"""Plain files only: read, append to and replace files of a folder that somebody else made.

A run folder can be copied, zipped and mailed, so nothing in it can be trusted. A symbolic link
could lead to any file of the user, a pipe would block for ever, and a device may never end. The
functions here refuse all of them before they are opened, and read at most a given number of bytes.
Where the operating system can refuse a link while it opens a file (``O_NOFOLLOW``), it does. On
Windows the kind of the file is looked up before and after.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

from vae_core.basics.errors import UserError
from vae_core.basics.files import replacing
from vae_core.basics.text import printable

MAX_JSON_BYTES = 2_000_000
"""Most bytes of a JSON file in a run folder."""
_SAFE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_JUNCTION = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)  # a kind of link on Windows


class NotAPlainFile(UserError, OSError):
    """Something in a folder is not the plain file or the plain folder that it should be."""


def open_plain(path: Path) -> BufferedReader:
    """Open a plain file for reading, never through a symbolic link.

    Raises:
        NotAPlainFile: if the path is a link, a folder, a pipe, a socket or a device.
        FileNotFoundError: if nothing exists there.
        OSError: if the file cannot be opened.
    """
    return os.fdopen(_descriptor(path, os.O_RDONLY), "rb")


def read_plain(path: Path, most: int) -> bytes:
    """Read a plain file of at most ``most`` bytes.

    Raises:
        NotAPlainFile: as for :func:`open_plain`, and if the file is larger.
        OSError: as for :func:`open_plain`.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size <= most:
            content = file.read(size + 1)  # not more: memory for all of it is taken first
            if len(content) > size:  # it grew meanwhile
                content += file.read(most - size)
            if len(content) <= most:
                return content
    raise NotAPlainFile(
        f"{printable(path.name)} has more than {_megabytes(most)}, which no such file has"
    )


def read_json(path: Path, most: int = MAX_JSON_BYTES) -> Any:
    """Read a plain file of JSON.

    Raises:
        ValueError: if the content is not JSON, or is nested too deeply.
        NotAPlainFile, OSError: as for :func:`read_plain`.
    """
    content = read_plain(path, most)
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError("it is not JSON") from error


def open_to_append(path: Path) -> BufferedWriter:
    """Open a plain file to append to it; create it if it does not exist.

    A hard link to another file is first replaced by a copy, so that the other file stays as it is.

    Raises:
        NotAPlainFile, OSError: as for :func:`open_plain`.
    """
    descriptor = _descriptor(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        with open_plain(path) as shared, replacing(path) as own:
            shutil.copyfileobj(shared, own)
        descriptor = _descriptor(path, os.O_WRONLY | os.O_APPEND)
    return os.fdopen(descriptor, "ab")


def check_plain(path: Path) -> None:
    """Check that a path is a plain file or does not exist. Nothing is opened.

    Raises:
        NotAPlainFile: otherwise.
    """
    if (kind := kind_of(path)) not in ("", "a file"):
        raise _wrong(path, kind)


def check_folder(path: Path) -> None:
    """Check that a path is a plain folder or does not exist. Nothing is opened.

    Raises:
        NotAPlainFile: otherwise.
    """
    if (kind := kind_of(path)) not in ("", "a folder"):
        raise NotAPlainFile(f"{printable(path.name)} is {kind}, not a plain folder")


def kind_of(path: Path) -> str:
    """Say what is at a path, without following a link: ``"a file"``; empty if nothing is there.

    Raises:
        OSError: if the folder of the path cannot be accessed.
    """
    try:
        about = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return _kind(about)


def names_in(folder: Path, most: int) -> Iterator[str]:
    """List the names in a plain folder, at most ``most``; nothing if it is missing or no folder."""
    if kind_of(folder) != "a folder":
        return
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count == most:
                return
            yield entry.name


def _descriptor(path: Path, flags: int) -> int:
    check_plain(path)
    descriptor = os.open(path, flags | _SAFE, 0o666)
    try:  # again: something else may have taken its place meanwhile
        if (kind := _kind(os.fstat(descriptor))) != "a file":
            raise _wrong(path, kind)
        if not hasattr(os, "O_NOFOLLOW"):
            check_plain(path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _kind(about: os.stat_result) -> str:
    if _JUNCTION is not None and getattr(about, "st_reparse_tag", 0) == _JUNCTION:
        return "a symbolic link"
    return next((name for is_kind, name in _KINDS if is_kind(about.st_mode)), "a file")


def _wrong(path: Path, kind: str) -> NotAPlainFile:
    return NotAPlainFile(f"{printable(path.name)} is {kind}, not a plain file")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"

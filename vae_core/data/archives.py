"""Read .zip archives as a stream of (name, bytes), one file at a time.

A file that cannot be read appears in the stream as an :class:`ImageError` under its name, and the
stream continues. Nothing is written to disk, so the names inside an archive can do no harm.
"""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from vae_core.basics.text import printable
from vae_core.data.decode import MAX_BYTES, ImageError, short_name, size_of
from vae_core.data.listing import Limits, is_hidden

MAX_ENTRIES = 10_000
MAX_ARCHIVE_BYTES = 500_000_000
MAX_UNPACKED_BYTES = 2_000_000_000
MAX_RATIO = 200
"""Largest ratio of unpacked to packed size, for entries of more than a megabyte."""

ENCRYPTED = 0x1
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # other methods unpack without a limit
SMALL = 1_000_000
_ENTRY_BYTES = 500  # of the list of entries, at most on average
_END, _END_64, _LOCATOR_64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"  # records at the end of an archive
_END_SIZE, _END_64_SIZE, _LOCATOR_64_SIZE, _COMMENT = 22, 56, 20, 65_535

Entry = tuple[str, bytes | ImageError]


def iter_archive(data: bytes | Path, filename: str | None = None) -> Iterator[Entry]:
    """Iterate over the files in a .zip archive, in its order, unpacked one at a time in memory.

    Folders, hidden files and the files that macOS adds are left out. An archive that is broken,
    empty or too large gives one entry under its own name: an :class:`ImageError`.

    Args:
        data: the archive's bytes or path.
        filename: name of the archive; by default its name on disk, or "archive.zip".
    """
    own = filename or (data.name if isinstance(data, Path) else "archive.zip")
    try:
        yield from archive_files(data, own)
    except ImageError as error:
        yield own, error


def archive_files(
    data: bytes | Path, filename: str, limits: Limits | None = None
) -> Iterator[Entry]:
    """Iterate over the files in a .zip archive as :func:`iter_archive` does.

    Args:
        limits: by default those of archives to score.

    Raises:
        ImageError: if the archive is broken, empty or too large.
    """
    limits = limits or Limits(MAX_ENTRIES, MAX_ARCHIVE_BYTES, MAX_UNPACKED_BYTES)
    with listed_safely(data, filename, limits) as archive:
        for entry in _entries(archive, short_name(filename), limits):
            yield printable(entry.filename), _unpacked(archive, entry)


@contextmanager
def listed_safely(data: bytes | Path, filename: str, limits: Limits) -> Iterator[zipfile.ZipFile]:
    """Open a .zip archive whose list of entries is not too long to be read.

    Raises:
        ImageError: if the archive is broken or too large, or is found to be so while it is read.
    """
    name = short_name(filename)
    try:
        size = size_of(data)
        if size > limits.archive_bytes:
            raise ImageError(
                f"{name} has {size / 1e6:,.0f} MB, at most {limits.archive_bytes / 1e6:,.0f} MB "
                "are read; split it."
            )
        with data.open("rb") if isinstance(data, Path) else io.BytesIO(data) as file:
            _check_length(*_length_of_list(file, size), name, limits)
            yield zipfile.ZipFile(file)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ImageError(f"{name} cannot be opened ({reason}); check its path.") from error
    except ImageError:
        raise
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise ImageError(
            f"{name} is not a complete .zip archive; make or send it again."
        ) from error


def _length_of_list(file: BinaryIO, size: int) -> tuple[int, int]:
    """Return how many entries the end of an archive states, and the bytes of their list.

    The list is not read for it. Both are 0 where the end is missing, which makes the archive
    incomplete.
    """
    file.seek(max(0, size - _COMMENT - _END_SIZE - _LOCATOR_64_SIZE - _END_64_SIZE))
    tail = file.read()
    end = tail.rfind(_END)
    if end < 0:
        return 0, 0
    locator = end - _LOCATOR_64_SIZE
    end_64 = locator - _END_64_SIZE
    if end_64 >= 0 and tail.startswith(_LOCATOR_64, locator) and tail.startswith(_END_64, end_64):
        counted, length = tail[end_64 + 32 : end_64 + 40], tail[end_64 + 40 : end_64 + 48]
    else:
        counted, length = tail[end + 10 : end + 12], tail[end + 12 : end + 16]
    return int.from_bytes(counted, "little"), int.from_bytes(length, "little")


def _check_length(entries: int, length: int, name: str, limits: Limits) -> None:
    """Check the length of an archive's list of entries.

    Raises:
        ImageError: if the list is too long to be read.
    """
    if entries > limits.entries:
        raise ImageError(
            f"{name} has {entries:,} entries, at most {limits.entries:,} are read; split it."
        )
    if length > limits.entries * _ENTRY_BYTES:
        raise ImageError(
            f"{name} has a list of entries of {length / 1e6:,.0f} MB, at most "
            f"{limits.entries * _ENTRY_BYTES / 1e6:.0f} MB are read; split it."
        )


def _entries(archive: zipfile.ZipFile, name: str, limits: Limits) -> list[zipfile.ZipInfo]:
    """List the entries of an archive that are files.

    Raises:
        ImageError: if there are no entries, too many entries, or too many bytes.
    """
    listed = archive.infolist()
    _check_length(len(listed), 0, name, limits)  # the end of an archive may state fewer
    entries = [
        entry
        for entry in listed
        if not entry.is_dir() and not any(map(is_hidden, PurePosixPath(entry.filename).parts))
    ]
    if not entries:
        raise ImageError(f"{name} contains no files; put images in it.")
    total = sum(entry.file_size for entry in entries)
    if total > limits.unpacked_bytes:
        most = f"{limits.unpacked_bytes / 1e9:.0f} GB"
        raise ImageError(
            f"{name} unpacks to {total / 1e9:,.1f} GB, at most {most} are read; split it."
        )
    return entries


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | ImageError:
    name = short_name(entry.filename)
    if entry.flag_bits & ENCRYPTED:
        return ImageError(f"{name} is encrypted; make the archive without a password.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        return ImageError(f"{name} is a symbolic link; put the image itself into the archive.")
    if entry.compress_type not in METHODS:
        return ImageError(f"{name} uses a rare compression; make the archive with plain deflate.")
    if entry.file_size > MAX_BYTES:
        return ImageError(
            f"{name} unpacks to {entry.file_size / 1e6:,.0f} MB, at most {MAX_BYTES / 1e6:.0f} MB "
            "are read; save it smaller."
        )
    if entry.file_size > max(SMALL, MAX_RATIO * entry.compress_size):
        return ImageError(f"{name} unpacks to suspiciously many bytes; save it in another format.")
    try:
        with archive.open(entry) as stream:
            return stream.read(entry.file_size + 1)  # limited, because the header may be wrong
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, NotImplementedError):
        return ImageError(f"{name} is damaged inside the archive; make the archive again.")

"""Images in a .zip or .tar archive."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

from vae_core.basics.text import printable
from vae_core.data.archives import archive_files
from vae_core.data.decode import MAX_BYTES, ImageError, short_name
from vae_core.data.listing import is_hidden
from vae_core.data.sources.base import LIMITS, Entry, Source
from vae_core.settings.data_sets import DataError

_AT_ONCE = 64_000_000  # bytes of the largest piece that a .tar may ask for at once
TAR = (".tar", ".tar.gz", ".tgz")
"""Endings of .tar archives."""


class ZipSource(Source):
    """All files in a .zip archive."""

    kind = ".zip archive"

    def entries(self) -> Iterator[Entry]:
        """Unpack one file after the other, in memory."""
        try:
            for name, content in archive_files(self.path, self.path.name, LIMITS):
                yield Entry(name.replace("\\", "/"), checked_name(name, content))
        except ImageError as error:
            raise DataError(str(error)) from error


class TarSource(Source):
    """All files in a .tar archive, gzipped or not."""

    kind = ".tar archive"

    def entries(self) -> Iterator[Entry]:
        """Unpack one file after the other, in memory."""
        name = short_name(self.path.name)
        try:
            with _unzipped(self.path) as file, _opened_tar(file) as tar:
                yield from self._members(tar, name)
        except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                f"{name} is not a complete .tar archive; make or send it again."
            ) from error

    def _members(self, tar: Any, name: str) -> Iterator[Entry]:
        total = count = 0
        while (member := tar.next()) is not None:
            tar.members = []  # which would grow with every file
            total, count = total + member.size, count + 1
            if count > LIMITS.entries or total > LIMITS.unpacked_bytes:
                raise DataError(
                    f"{name} has more than {LIMITS.entries:,} entries or "
                    f"{LIMITS.unpacked_bytes / 1e9:.0f} GB; split it."
                )
            path = PurePosixPath(member.name)
            if member.isdir() or any(map(is_hidden, path.parts)):
                continue
            shown = printable(str(path))
            yield Entry(shown, checked_name(shown, _member(tar, member)))
        tar.fileobj.seek(tar.offset)
        if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("its end is missing")
        if not count:
            raise DataError(f"{name} contains no files; put images in it.")


def _opened_tar(file: Any) -> closing[tarfile.TarFile]:
    return closing(tarfile.open(fileobj=file, mode="r:"))


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | ImageError:
    name = short_name(member.name)
    if member.issym() or member.islnk():
        return ImageError(f"{name} is a link; put the image itself into the archive.")
    if not member.isreg() or member.issparse():
        return ImageError(f"{name} is not a plain file; put images into the archive.")
    if member.size > MAX_BYTES:
        return ImageError(
            f"{name} has {member.size / 1e6:,.0f} MB, at most {MAX_BYTES / 1e6:.0f} MB are read; "
            "save it smaller."
        )
    stream = tar.extractfile(member)
    return stream.read() if stream is not None else ImageError(f"{name} cannot be read.")


class _BoundedFile(io.BufferedIOBase):
    """A file that refuses to read very much at once, as hostile headers of a .tar ask for."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _AT_ONCE:
            raise tarfile.ReadError("a header states too many bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
        super().close()


def _unzipped(path: Path) -> _BoundedFile:
    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    return _BoundedFile(gzip.open(path) if zipped else path.open("rb"))


def checked_name(name: str, content: bytes | ImageError) -> bytes | ImageError:
    """Refuse a file whose name leads out of its archive. Nothing is ever written by such a name."""
    path = PurePosixPath(name.replace("\\", "/"))
    if ".." in path.parts or path.is_absolute() or ":" in (path.parts or ("",))[0]:
        return ImageError(f"{short_name(name)} has a path that leads out of the archive.")
    return content

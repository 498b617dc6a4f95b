"""Read the images of a data set from wherever they are, one at a time and as often as needed.

A folder, a .zip or .tar archive, an array file or Parquet files are all a :class:`Source`. Nothing
in a source is trusted: no link is followed, no name leads anywhere, no pickle is loaded, and at
most one image is in memory.
"""

import gzip
import io
import os
import tarfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.text import printable
from vae_core.data.archives import Limits, archive_files, is_hidden
from vae_core.data.decode import MAX_BYTES, ImageError, read_bytes, short_name
from vae_core.data.frames import Frames, frames_of, frames_sentence, has_frames
from vae_core.settings.data_sets import DataError

MOST_FILES = 300_000
LIMITS = Limits(MOST_FILES, 20_000_000_000, 20_000_000_000)
"""How much of an archive is read for a data set, streaming."""
_AT_ONCE = 64_000_000  # bytes of the largest piece that a .tar may ask for at once
TAR = (".tar", ".tar.gz", ".tgz")
"""Endings of .tar archives."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or image of a source.

    Attributes:
        name: path inside the source.
        content: the bytes of a file; or an image, uint8 (H, W) or (H, W, C); or why there is none.
        label: name of its class, where the source itself states it.
        split: name of its part, where the source itself states it.
        file: path of the file that it is a frame of; empty if it is a file or an image itself.
    """

    name: str
    content: bytes | NDArray[np.uint8] | ImageError
    label: str | None = None
    split: str | None = None
    file: str = ""


class Source(ABC):
    """Images to make a data set of.

    Attributes:
        path: where they are.
        kind: what it is, for a sentence.
        arranged: whether entries state their labels; otherwise names of folders do.
        notes: sentences about what was found.
    """

    kind = "folder"
    arranged = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Read the source from its beginning, always in the same order.

        Raises:
            DataError: if the source as a whole cannot be used.
        """


class FolderSource(Source):
    """All files below a folder. Links are listed, but not followed."""

    def entries(self) -> Iterator[Entry]:
        """Walk the folder in alphabetical order."""
        for count, path in enumerate(_walk(self.path)):
            if count == MOST_FILES:
                raise DataError(f"{self.path} has more than {MOST_FILES:,} files; split it.")
            name = path.relative_to(self.path).as_posix()
            yield Entry(name, _content(path, short_name(name)))


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


class FramesSource(Source):
    """A source whose animated and multi-page files are several images, if all are taken."""

    def __init__(self, inner: Source, taken: Frames) -> None:
        super().__init__(inner.path)
        self.kind, self.arranged = inner.kind, inner.arranged
        self._inner = inner
        self._taken: Frames = taken

    def entries(self) -> Iterator[Entry]:
        """Read the source; count the files with several frames, for a note."""
        files = frames = 0
        for entry in self._inner.entries():
            if not isinstance(entry.content, bytes) or not has_frames(entry.content):
                yield entry
                continue
            files += 1
            if self._taken == "first":
                yield entry
                continue
            for index, content in frames_of(entry.content, entry.name):
                frames += isinstance(content, bytes)
                yield Entry(f"{entry.name}[{index}]", content, entry.label, entry.split, entry.name)
        counted = [frames_sentence(files, frames, self._taken)] if files else []
        self.notes = [*self._inner.notes, *counted]


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


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not is_hidden(each))
        links = [each for each in folders if (Path(parent) / each).is_symlink()]
        yield from (Path(parent) / each for each in links)
        yield from (Path(parent) / each for each in sorted(files) if not is_hidden(each))


def _content(path: Path, name: str) -> bytes | ImageError:
    try:
        if path.is_symlink():
            raise ImageError(f"{name} is a symbolic link; put the file itself into the folder.")
        return read_bytes(path, name)
    except ImageError as error:
        return error


def checked_name(name: str, content: bytes | ImageError) -> bytes | ImageError:
    """Refuse a file whose name leads out of its archive. Nothing is ever written by such a name."""
    path = PurePosixPath(name.replace("\\", "/"))
    if ".." in path.parts or path.is_absolute() or ":" in (path.parts or ("",))[0]:
        return ImageError(f"{short_name(name)} has a path that leads out of the archive.")
    return content


def open_source(path: Path, scratch: Path, value_range: str = "auto") -> Source:
    """Open a source of images.

    Args:
        path: a folder, an archive, an array file or a Parquet file.
        scratch: an empty folder for what has to be unpacked.
        value_range: largest value of an array: ``auto``, ``1`` or ``255``.

    Raises:
        DataError: if it is none of these, or cannot be used.
    """
    from vae_core.data.array_sources import ArraySource
    from vae_core.data.parquet_source import ParquetSource

    shown, lower = printable(str(path)), path.name.lower()
    if path.is_dir():
        tables = [each for each in _walk(path) if each.suffix.lower() == ".parquet"]
        return ParquetSource(path, tables) if tables else FolderSource(path)
    if not path.exists():
        raise DataError(f"{shown} does not exist; check the path.")
    if not path.is_file():
        raise DataError(f"{shown} is neither a folder nor a file; give images.")
    if lower.endswith(".zip"):
        return ZipSource(path)
    if lower.endswith(TAR):
        return TarSource(path)
    if lower.endswith((".npy", ".npz")):
        return ArraySource(path, scratch, value_range)
    if lower.endswith(".parquet"):
        return ParquetSource(path, [path])
    raise DataError(
        f"{shown} is not a source of images; give a folder, a .zip, .tar, .tar.gz, .npy, .npz or "
        ".parquet file."
    )

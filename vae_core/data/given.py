"""Files given one by one, as a browser sends them: each has a name, and lies somewhere else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vae_core.basics.paths import path_of
from vae_core.basics.text import printable
from vae_core.data.decode import ImageError, read_bytes, short_name
from vae_core.data.listing import is_hidden
from vae_core.data.sources.base import Entry, Source
from vae_core.data.sources.opening import open_source
from vae_core.data.sources.packed import TAR, checked_name
from vae_core.data.sources.parquet import PARQUET, ParquetSource
from vae_core.data.sources.several_frames import FramesSource
from vae_core.settings.choices import Frames
from vae_core.settings.data_sets import DataError

ARCHIVES = (".zip", *TAR)
ARRAYS = (".npy", ".npz")


@dataclass(frozen=True)
class GivenFiles:
    """Files to make a data set of: images, archives of images, tables; or one array file.

    Attributes:
        name: what the files are called together, in sentences.
        files: the name of each file, perhaps with folders, and its path. No path is made of a name.
    """

    name: str
    files: Sequence[tuple[str, Path]]


class GivenSource(Source):
    """Images and archives that were given together."""

    kind = "files"

    def __init__(self, given: GivenFiles, scratch: Path) -> None:
        super().__init__(Path(given.name))
        self._files = sorted(given.files)
        self._scratch = scratch
        self._archives = sum(_is_archive(name) for name, _ in self._files)

    def entries(self) -> Iterator[Entry]:
        """Read the files in alphabetical order. With several archives, each is a folder."""
        for name, path in self._files:
            if any(map(is_hidden, PurePosixPath(name).parts)):
                continue
            if not _is_archive(name):
                yield Entry(printable(name), _content(path, name))
                continue
            folder = f"{_stem(name)}/" if self._archives > 1 else ""
            for entry in open_source(path, self._scratch).entries():
                yield Entry(folder + entry.name, entry.content)


def open_given(given: GivenFiles, scratch: Path, value_range: str = "auto") -> Source:
    """Open given files as a source of images.

    Args:
        scratch: an empty folder for what has to be unpacked.
        value_range: as for :func:`vae_core.data.sources.opening.open_source`.

    Raises:
        DataError: if an array or a Parquet file is not alone, or cannot be used.
    """
    names = [name.lower() for name, _ in given.files]
    paths = [path for _, path in given.files]
    if len(paths) == 1 and names[0].endswith((*ARCHIVES, *ARRAYS, PARQUET)):
        return open_source(paths[0], scratch, value_range)
    if names and all(name.endswith(PARQUET) for name in names):
        return ParquetSource(Path(given.name), sorted(paths))
    if any(name.endswith((*ARRAYS, PARQUET)) for name in names):
        raise DataError(
            "An array or a Parquet file is a data set by itself; give it without other files."
        )
    return GivenSource(given, scratch)


def opened_source(
    source: str | Path | GivenFiles,
    scratch: Path,
    value_range: str = "auto",
    frames: Frames = "first",
) -> Source:
    """Open a source of images: a path, or given files.

    Args:
        frames: what is taken of animated and multi-page files.

    Raises:
        DataError: if it cannot be used.
    """
    if isinstance(source, GivenFiles):
        inner = open_given(source, scratch, value_range)
    else:
        inner = open_source(path_of(source), scratch, value_range)
    return FramesSource(inner, frames)


def _content(path: Path, name: str) -> bytes | ImageError:
    try:
        return checked_name(name, read_bytes(path, short_name(name)))
    except ImageError as error:
        return error


def _is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


def _stem(name: str) -> str:
    """The name of an archive without its ending."""
    ending = next(each for each in sorted(ARCHIVES, key=len)[::-1] if name.lower().endswith(each))
    return printable(name[: -len(ending)].replace("\\", "/").rsplit("/", 1)[-1], 80)

"""Open a source by what its path leads to."""

from pathlib import Path

from vae_core.basics.text import printable
from vae_core.data.sources.arrays import ArraySource
from vae_core.data.sources.base import Source
from vae_core.data.sources.folders import FolderSource, files_below
from vae_core.data.sources.packed import TAR, TarSource, ZipSource
from vae_core.data.sources.parquet import ParquetSource
from vae_core.settings.data_sets import DataError


def open_source(path: Path, scratch: Path, value_range: str = "auto") -> Source:
    """Open a source of images.

    Args:
        path: a folder, an archive, an array file or a Parquet file.
        scratch: an empty folder for what has to be unpacked.
        value_range: largest value of an array: ``auto``, ``1`` or ``255``.

    Raises:
        DataError: if it is none of these, or cannot be used.
    """
    shown, lower = printable(str(path)), path.name.lower()
    if path.is_dir():
        tables = [each for each in files_below(path) if each.suffix.lower() == ".parquet"]
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

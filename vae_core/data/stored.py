"""Data sets that can be loaded by name. One object holds all information about a data set.

To support another file format, subclass :class:`StoredDataset` and list its instances in
:mod:`vae_core.data.catalogue`. Nothing here needs torch.
"""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.paths import cache_folder, data_folder, data_folder_is_missing
from vae_core.data.download import Progress, RemoteFile, Source, fetch
from vae_core.settings.data_sets import DatasetInfo

log = logging.getLogger(__name__)

Pixels = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images (N, C, H, W) and labels (N,): training images first, then validation, then test."""


@dataclass(frozen=True)
class Layout:
    """The place of the ink in the images of a data set.

    Attributes:
        height: height of the box that the ink fills, as a share of the image's height.
        width: width of that box, as a share of the image's width.
        bend: largest ratio of the vertical and the horizontal scale when the box is filled; 1
            keeps the aspect ratio.
        centre: whether the centre of mass or the box is put in the middle.
        blocks: 1, or the side of the blocks in which the ink of a finer bitmap is counted.
        shades: whether grey levels within the ink carry information.
        reason: a phrase for the page.
    """

    height: float
    width: float
    bend: float
    centre: Literal["mass", "box"]
    blocks: int
    shades: bool
    reason: str


WHOLE = Layout(1, 1, 1, "box", 1, shades=True, reason="as large as fits")
"""The ink fills the image on its longer side."""


@dataclass(frozen=True)
class StoredDataset(ABC):
    """A data set that can be loaded.

    Attributes:
        info: facts that are known before the data set is loaded.
        layout: the place of the ink in its images; image files are prepared in the same way.
        source: the files to download; None if the data set needs no download.
    """

    info: DatasetInfo
    layout: Layout = WHOLE
    source: Source | None = None

    @abstractmethod
    def load(self, progress: Progress | None = None) -> Pixels:
        """Read images and labels; download missing files first.

        Args:
            progress: called with (bytes done, total bytes) while files are downloaded.

        Raises:
            DataError: if a file is truncated or wrong.
            DownloadError: if files are missing and cannot be downloaded.
        """

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names of the files of :attr:`source`."""
        return tuple(each.name for each in self._files)

    def bytes_to_download(self) -> int:
        """Return the number of bytes that have to be downloaded first; 0 if no file is missing.

        Only the names of files are checked, and in the cache folder also their sizes.
        """
        own = self._own_files()
        return sum(f.size for f, path in own.items() if not (path or self._is_cached(f)))

    def local_files(self, progress: Progress | None = None) -> dict[str, Path]:
        """Return the path of each file, by its name without ".gz"; download missing files.

        The files, gzipped or not, are searched in ``VAE_DATA_DIR`` (directly, or in a subfolder
        with the data set's name), then in the cache folder, which downloads are written to.

        Args:
            progress: called with (bytes done, total bytes) of the downloaded files.

        Raises:
            DownloadError: if files are missing and cannot be downloaded.
        """
        found = self._own_files()
        wanted = [file for file, path in found.items() if path is None]
        if wanted and data_folder_is_missing():
            log.warning("VAE_DATA_DIR is %s, which is not a folder.", data_folder())
        mirrors = self.source.mirrors if self.source else ()
        total, before = sum(file.size for file in wanted), 0
        for file in wanted:
            report = _part_of(progress, before, total)
            found[file] = fetch(file, mirrors, self._cache, report)
            before += file.size
        return {Path(file.name).stem: path for file, path in found.items() if path is not None}

    @property
    def _cache(self) -> Path:
        return cache_folder() / self.info.name

    @property
    def _files(self) -> tuple[RemoteFile, ...]:
        return self.source.files if self.source else ()

    def _own_files(self) -> dict[RemoteFile, Path | None]:
        """Find the path of each file of the source in ``VAE_DATA_DIR``; None if it is missing."""
        own = data_folder()
        folders = [own / self.info.name, own] if own else []
        return {file: _packed_or_not(file.name, folders) for file in self._files}

    def _is_cached(self, file: RemoteFile) -> bool:
        path = self._cache / file.name
        return path.is_file() and path.stat().st_size == file.size


def _packed_or_not(name: str, folders: list[Path]) -> Path | None:
    raw = Path(name).stem
    candidates = (folder / each for folder in folders for each in (name, raw))
    return next((path for path in candidates if path.is_file()), None)


def _part_of(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _size: progress(before + done, total)

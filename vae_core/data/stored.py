"""A data set that can be loaded by name: one object holds all that the program knows of it.

Subclass :class:`StoredDataset` for another way of storing images, and list its instances in
:mod:`vae_core.data.catalogue`. Nothing here needs torch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.paths import cache_folder, data_folder
from vae_core.data.download import Progress, RemoteFile, Source, fetch
from vae_core.settings.data_sets import DatasetInfo

Pixels = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images (N, C, H, W) and labels (N,): training images first, then validation, then test."""


@dataclass(frozen=True)
class Layout:
    """How a data set places its ink.

    Attributes:
        height: of the box that ink fills, as a share of the image's height.
        width: likewise.
        bend: by how much height and width may be stretched apart to fill the box; 1 keeps the
            aspect ratio.
        centre: what is put in the middle, the centre of mass or the box.
        blocks: 1, or the side of the blocks in which the ink of a finer bitmap is counted.
        shades: whether grey within the ink means something.
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
        info: what is known of it before it is loaded.
        layout: how its images place their ink; image files are prepared in the same way.
        source: files on the internet that it is made from; None where none are needed.
    """

    info: DatasetInfo
    layout: Layout = WHOLE
    source: Source | None = None

    @abstractmethod
    def load(self, progress: Progress | None = None) -> Pixels:
        """Read images and labels; first download files that are missing.

        Args:
            progress: called with (bytes done, bytes in all) while files are downloaded.

        Raises:
            DataError: if a file is truncated or not what it should be.
            DownloadError: if files are missing and cannot be downloaded.
        """

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of the files of :attr:`source`."""
        return tuple(each.name for each in self._files)

    def bytes_to_download(self) -> int:
        """How much has to be downloaded before it can be loaded; 0 where nothing is missing.

        This looks at the names of the files, and at the sizes of those in the cache folder.
        """
        own = self._own_files()
        return sum(f.size for f, path in own.items() if not (path or self._is_cached(f)))

    def local_files(self, progress: Progress | None = None) -> dict[str, Path]:
        """Where each file lies, by its name without ".gz"; missing files are downloaded.

        Files are looked for in ``VAE_DATA_DIR`` (in a folder of the data set's name there, or
        directly), gzipped or not, then in the cache folder, where downloads go.

        Args:
            progress: called with (bytes done, bytes in all) of the files that are not the user's
                own.

        Raises:
            DownloadError: if files are missing and cannot be downloaded.
        """
        found = self._own_files()
        wanted = [file for file, path in found.items() if path is None]
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
        """Each file of the source, and where in ``VAE_DATA_DIR`` it lies."""
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

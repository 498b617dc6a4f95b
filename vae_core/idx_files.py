"""Where the files of a data set lie on this computer, and getting those that do not.

They are looked for in ``VAE_DATA_DIR`` (in a folder of the data set's name there, or directly),
gzipped or not, and in the cache folder, where downloads go. Nothing here needs torch.
"""

from pathlib import Path

from vae_core.catalogue import DATASETS, DatasetName
from vae_core.download import SOURCES, Progress, RemoteFile, fetch
from vae_core.paths import cache_folder, data_folder


def bytes_to_download(name: DatasetName) -> int:
    """How much has to be downloaded before the data set can be loaded; 0 where it is at hand.

    It is at hand if it comes with the program, or its files are here, as far as their names and
    the sizes of those in the cache tell.
    """
    if DATASETS[name].embedded:
        return 0
    return sum(file.size for file, path in _own(name).items() if not (path or _cached(name, file)))


def at_hand(name: DatasetName) -> bool:
    """Whether the data set can be loaded without a download."""
    return bytes_to_download(name) == 0


def file_names(name: DatasetName) -> tuple[str, ...]:
    """What the files are called that make up the data set; none for one that is embedded."""
    return () if DATASETS[name].embedded else tuple(each.name for each in SOURCES[name].files)


def idx_files(name: DatasetName, progress: Progress | None = None) -> dict[str, Path]:
    """Where each file lies, by its name without ".gz"; those found nowhere are downloaded.

    Args:
        name: a data set that is not embedded.
        progress: called with (bytes done, bytes in all) of the files that are not the user's own.

    Raises:
        DownloadError: if files are missing and cannot be downloaded.
    """
    found = _own(name)
    wanted = [file for file, path in found.items() if path is None]
    total, before = sum(file.size for file in wanted), 0
    for file in wanted:
        report = _part_of(progress, before, total)
        found[file] = fetch(file, SOURCES[name].mirrors, cache_folder() / name, report)
        before += file.size
    return {Path(file.name).stem: path for file, path in found.items() if path is not None}


def _own(name: DatasetName) -> dict[RemoteFile, Path | None]:
    """Each file of the data set, and where in ``VAE_DATA_DIR`` it lies."""
    own = data_folder()
    folders = [own / name, own] if own else []
    return {file: _packed_or_not(file.name, folders) for file in SOURCES[name].files}


def _packed_or_not(name: str, folders: list[Path]) -> Path | None:
    raw = Path(name).stem
    candidates = (folder / each for folder in folders for each in (name, raw))
    return next((path for path in candidates if path.is_file()), None)


def _cached(name: DatasetName, file: RemoteFile) -> bool:
    path = cache_folder() / name / file.name
    return path.is_file() and path.stat().st_size == file.size


def _part_of(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _size: progress(before + done, total)

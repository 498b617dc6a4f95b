"""MNIST and its kin: where their IDX files lie on this computer, and reading them.

They are looked for in ``VAE_DATA_DIR`` (in a folder of the data set's name there, or directly),
gzipped or not, and in the cache folder, where downloads go. Nothing here needs torch.
"""

import gzip
import math
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_core.basics.paths import cache_folder, data_folder
from vae_core.data.download import DownloadError, Progress, RemoteFile, Source, fetch
from vae_core.settings.data_sets import DATASETS, DataError, DatasetName

_IDX_UINT8 = 0x08
_TEST_LABELS_CRC: Mapping[int, DatasetName] = {0xEE8604D9: "mnist", 0x242BC73F: "fashion-mnist"}


def _mnist_family(
    name: DatasetName, progress: Progress | None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    paths = _files(name, progress)
    sizes = DATASETS[name].sizes
    _, height, width = DATASETS[name].image_shape
    counts = {"train": sizes["train"] + sizes["validation"], "t10k": sizes["test"]}
    labels = [read_idx(paths[f"{part}-labels-idx1-ubyte"], (n,)) for part, n in counts.items()]
    _check_whose(name, paths["t10k-labels-idx1-ubyte"], labels[1])
    images = [
        read_idx(paths[f"{part}-images-idx3-ubyte"], (n, height, width))
        for part, n in counts.items()
    ]
    return np.concatenate(images)[:, None], np.concatenate(labels).astype(np.int64)


def _files(name: DatasetName, progress: Progress | None) -> dict[str, Path]:
    try:
        return idx_files(name, progress)
    except DownloadError as error:
        title, size = DATASETS[name].title, bytes_to_download(name) / 1e6
        raise DownloadError(f"{title} ({size:.0f} MB) is not on this computer: {error}") from error


def _check_whose(name: DatasetName, path: Path, test_labels: NDArray[np.uint8]) -> None:
    """The data sets of this family have the same file names; their test labels tell them apart."""
    owner = _TEST_LABELS_CRC.get(zlib.crc32(test_labels.tobytes()), name)
    if owner != name:
        raise DataError(
            f"{path} is of {DATASETS[owner].title}, not of {DATASETS[name].title}. "
            f"Move it and the files beside it into a folder called {owner}."
        )
    if test_labels.max() >= len(DATASETS[name].classes):
        raise _unusable(path, f"it has a class {test_labels.max()}")


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes, gzipped or not.

    Raises:
        DataError: if the file is truncated, corrupt, or does not hold an array of ``shape``.
    """
    header = bytes((0, 0, _IDX_UINT8, len(shape))) + np.array(shape, ">u4").tobytes()
    size = len(header) + math.prod(shape)
    content = _plain(path, size + 1)
    if content[:4] != header[:4]:
        raise _unusable(path, f"it is not an IDX file of bytes in {len(shape)} dimensions")
    if not content.startswith(header):
        raise _unusable(path, f"its header does not announce {'×'.join(map(str, shape))} values")
    if len(content) != size:
        raise _unusable(path, "its length is not the one that its header announces")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _plain(path: Path, most: int) -> bytes:
    """The file's bytes, unpacked if they are gzipped, but never more than ``most`` of them."""
    try:
        with path.open("rb") as stream:
            gzipped = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path) if gzipped else path.open("rb") as stream:
            return stream.read(most)
    except (OSError, EOFError, zlib.error) as error:
        raise _unusable(path, f"it is truncated or corrupt ({error})") from error


def _unusable(path: Path, problem: str) -> DataError:
    return DataError(
        f"{path} cannot be used: {problem}. Delete it to have it downloaded again, "
        "or put a whole copy in its place."
    )


_IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _source(mirrors: tuple[str, ...], *published: tuple[int, str]) -> Source:
    files = zip(_IDX_FILES, published, strict=True)
    return Source(mirrors, tuple(RemoteFile(name, size, sha) for name, (size, sha) in files))


SOURCES: Mapping[DatasetName, Source] = {
    "mnist": _source(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    "fashion-mnist": _source(
        (
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    "kmnist": _source(
        (
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ),
}


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

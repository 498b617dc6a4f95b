"""Named data sets as uint8 images with labels and fixed splits, and their binarisation.

Images have shape (N, C, H, W), light ink on a dark ground, 0 to 255.
"""

import dataclasses
import gzip
import importlib.util
import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_core.config import DATASETS, Binarisation, DatasetInfo, DatasetName, Split
from vae_core.download import DownloadError, Progress
from vae_core.idx_files import bytes_to_download, idx_files

DIGITS_PERMUTATION_SEED = 0
"""The digits are shuffled by ``numpy.random.RandomState(0).permutation(1797)``, a stream that NumPy
has frozen, then cut into train, validation and test. In their published order neighbouring images
come from the same writer."""

_IDX_UINT8 = 0x08
_TEST_LABELS_CRC: Mapping[int, DatasetName] = {0xEE8604D9: "mnist", 0x242BC73F: "fashion-mnist"}


class DataError(ValueError):
    """A data file that is missing something, with what to do about it."""


@dataclass(frozen=True)
class Dataset:
    """Images, labels and splits.

    Attributes:
        name: its key in :data:`vae_core.config.DATASETS`.
        images: uint8, shape (N, C, H, W).
        labels: int64, shape (N,).
        splits: which images belong to which split.
    """

    name: DatasetName
    images: Tensor
    labels: Tensor
    splits: Mapping[Split, slice]

    @property
    def info(self) -> DatasetInfo:
        """Title, image shape, sizes of the splits and names of the classes."""
        return DATASETS[self.name]

    def split(self, name: Split) -> tuple[Tensor, Tensor]:
        """Images (n, C, H, W), uint8, and labels (n,) of a split: views, not copies."""
        chosen = self.splits[name]
        return self.images[chosen], self.labels[chosen]

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data set with its tensors on ``device``."""
        return dataclasses.replace(
            self, images=self.images.to(device), labels=self.labels.to(device)
        )


def load_dataset(name: DatasetName, progress: Progress | None = None) -> Dataset:
    """A data set by name, on the CPU.

    ``digits`` come with the program. The others are IDX files, gzipped or not, looked for in
    ``VAE_DATA_DIR`` (in a folder of the data set's name there, or directly), then in the cache
    folder, then downloaded into it. Their training images are the first 50,000 of the published
    training file, the validation images its last 10,000, the test images the published test file.

    Args:
        name: a key of :data:`vae_core.config.DATASETS`.
        progress: called with (bytes done, bytes in all) while files are downloaded.

    Raises:
        DataError: for an unknown name, or a file that is truncated or not what it should be.
        vae_core.download.DownloadError: if files are missing and cannot be downloaded.
    """
    if name not in DATASETS:
        raise DataError(f"There is no data set {name!r}. Known: {', '.join(DATASETS)}.")
    images, labels = _digits() if name == "digits" else _mnist_family(name, progress)
    return Dataset(name, torch.from_numpy(images), torch.from_numpy(labels), _splits(name))


def binarise(
    images: Tensor, protocol: Binarisation, generator: torch.Generator | None = None
) -> Tensor:
    """Grey images as a Bernoulli model takes them, by a named protocol.

    ``dynamic`` draws each pixel independently, 1 with probability v/255 exactly (so 0 is never
    drawn as 1, nor 255 as 0); Salakhutdinov & Murray 2008, Burda et al. 2016 (arXiv 1509.00519).
    ``threshold`` is 1 where v/255 > 1/2. ``none`` is v/255 itself, for which a Bernoulli
    log-likelihood is not that of a binary image.

    Args:
        images: uint8, any shape, any device.
        protocol: which of the three.
        generator: of the device of ``images``; the device's default where None. Only ``dynamic``
            draws from it.

    Returns:
        float32 in [0, 1], same shape and device.
    """
    if images.dtype != torch.uint8:
        raise TypeError(f"Binarisation takes uint8 images, not {images.dtype}.")
    return _PROTOCOLS[protocol](images, generator)


def evaluation_images(
    dataset: Dataset,
    split: Split,
    protocol: Binarisation,
    seed: int,
    limit: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The images of a split, binarised once and for all by ``seed``, for figures that are kept.

    The draw is made on the CPU for the whole split before ``limit`` cuts it, so that an image is
    the same whatever the limit and wherever the model runs.

    Returns:
        float32 images (n, C, H, W) in [0, 1] and labels (n,), on the device of ``dataset``.
    """
    images, labels = dataset.split(split)
    generator = torch.Generator().manual_seed(seed)
    drawn = binarise(images.cpu(), protocol, generator)[:limit]
    return drawn.to(images.device), labels[:limit]


def _dynamic(images: Tensor, generator: torch.Generator | None) -> Tensor:
    if images.device.type == "cpu":
        draws = _uniform_below_255(images.numel(), generator).view(images.shape)
    else:
        draws = torch.empty_like(images).random_(0, 255, generator=generator)
    return _zero_or_one(draws < images)


def _uniform_below_255(count: int, generator: torch.Generator | None) -> Tensor:
    """Uniform bytes 0 to 254, shape (count,).

    The CPU's generator is serial: a word of it gives eight bytes at the price of one, and the one
    byte in 256 that is 255 is drawn again.
    """
    words = torch.empty(-(-count // 8), dtype=torch.int64)
    draws = words.random_(-(2**63), None, generator=generator).view(torch.uint8)[:count]
    refused = torch.from_numpy(np.flatnonzero(draws.numpy() == 255))
    again = torch.empty(refused.shape, dtype=torch.uint8).random_(0, 255, generator=generator)
    return draws.index_copy_(0, refused, again)


def _threshold(images: Tensor, _generator: torch.Generator | None) -> Tensor:
    return _zero_or_one(images > 127)


def _grey(images: Tensor, _generator: torch.Generator | None) -> Tensor:
    return images.float() / 255


def _zero_or_one(decisions: Tensor) -> Tensor:
    return decisions.view(torch.uint8).float()  # five times as fast as from bool


_PROTOCOLS: Mapping[Binarisation, Callable[[Tensor, torch.Generator | None], Tensor]] = {
    "dynamic": _dynamic,
    "threshold": _threshold,
    "none": _grey,
}


def _splits(name: DatasetName) -> Mapping[Split, slice]:
    splits: dict[Split, slice] = {}
    start = 0
    for split, size in DATASETS[name].sizes.items():
        splits[split] = slice(start, start + size)
        start += size
    return splits


def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """scikit-learn's 8×8 digits, 0 to 16, as round(255 v / 16)."""
    table = _digits_table()
    order = np.random.RandomState(DIGITS_PERMUTATION_SEED).permutation(len(table))
    table = table[order]
    images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8)
    return images.reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)


def _digits_table() -> NDArray[np.float64]:
    """64 pixels and the class, shape (1797, 65); importing scikit-learn would take a second."""
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.exists():
            with gzip.open(path, "rt", encoding="ascii") as stream:
                return np.loadtxt(stream, delimiter=",")
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    return np.column_stack([pixels, classes])


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

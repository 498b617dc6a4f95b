"""MNIST and data sets with the same file format: read IDX files, tell the data sets apart.

The training images are the first 50,000 of the published training file, the validation images its
last 10,000. The test images are the published test file. Nothing here needs torch.
"""

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_core.data.download import DownloadError, Progress, RemoteFile, Source
from vae_core.data.stored import Layout, Pixels, StoredDataset
from vae_core.settings.data_sets import DataError, DatasetInfo, Split

_IDX_UINT8 = 0x08


@dataclass(frozen=True)
class IdxDataset(StoredDataset):
    """A data set of the MNIST family.

    Attributes:
        test_labels_crc: CRC-32 of the test labels, or 0 for no check. It tells the data sets of
            the family apart, because their files have the same names.
    """

    test_labels_crc: int = 0

    def load(self, progress: Progress | None = None) -> Pixels:
        """Read the images and labels of the four IDX files."""
        paths, sizes = self._paths(progress), self.info.sizes
        _, height, width = self.info.image_shape
        counts = {"train": sizes["train"] + sizes["validation"], "t10k": sizes["test"]}
        labels = [read_idx(paths[f"{part}-labels-idx1-ubyte"], (n,)) for part, n in counts.items()]
        self._check_owner(paths["t10k-labels-idx1-ubyte"], labels[1])
        images = [
            read_idx(paths[f"{part}-images-idx3-ubyte"], (n, height, width))
            for part, n in counts.items()
        ]
        return np.concatenate(images)[:, None], np.concatenate(labels).astype(np.int64)

    def _paths(self, progress: Progress | None) -> dict[str, Path]:
        try:
            return self.local_files(progress)
        except DownloadError as error:
            title, size = self.info.title, self.bytes_to_download() / 1e6
            raise DownloadError(
                f"{title} ({size:.0f} MB) is not on this computer: {error}"
            ) from error

    def _check_owner(self, path: Path, test_labels: NDArray[np.uint8]) -> None:
        """Raise a DataError if the files belong to another data set of the family."""
        crc = zlib.crc32(test_labels.tobytes())
        owner = next((each.info for each in MNIST_FAMILY if each.test_labels_crc == crc), self.info)
        if owner.name != self.info.name:
            raise DataError(
                f"{path} belongs to {owner.title}, not to {self.info.title}. "
                f"Move it and the files beside it into a folder called {owner.name}."
            )
        if test_labels.max() >= len(self.info.classes):
            raise _unusable(path, f"it has a class {test_labels.max()}")


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read the array in an IDX file of unsigned bytes, gzipped or not.

    Raises:
        DataError: if the file is truncated or corrupt, or the array does not have this shape.
    """
    header = bytes((0, 0, _IDX_UINT8, len(shape))) + np.array(shape, ">u4").tobytes()
    size = len(header) + math.prod(shape)
    content = _plain(path, size + 1)
    if content[:4] != header[:4]:
        raise _unusable(path, f"it is not an IDX file of bytes in {len(shape)} dimensions")
    if not content.startswith(header):
        raise _unusable(path, f"its header does not announce {'×'.join(map(str, shape))} values")
    if len(content) != size:
        raise _unusable(path, "its length differs from the length in its header")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def _plain(path: Path, most: int) -> bytes:
    """Read at most ``most`` bytes of a file, unpacked if the file is gzipped."""
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
        "or replace it by a complete copy."
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


_SHAPE = (1, 28, 28)
_SIZES: Mapping[Split, int] = {"train": 50_000, "validation": 10_000, "test": 10_000}
_CLOTHES = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_KANA = ("お o", "き ki", "す su", "つ tsu", "な na", "は ha", "ま ma", "や ya", "れ re", "を wo")

MNIST = IdxDataset(
    DatasetInfo(
        "mnist",
        "MNIST 28×28",
        _SHAPE,
        _SIZES,
        subject="handwritten digits",
        instance="a digit",
    ),
    Layout(20 / 28, 20 / 28, 1, "mass", 1, shades=False, reason="with a margin, as in MNIST"),
    _source(
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    test_labels_crc=0xEE8604D9,
)
"""MNIST fits the ink into 20×20 of 28×28 pixels, with its centre of mass at pixel (14, 14)."""

FASHION_MNIST = IdxDataset(
    DatasetInfo(
        "fashion-mnist",
        "Fashion-MNIST 28×28",
        _SHAPE,
        _SIZES,
        classes=_CLOTHES,
        subject="small pictures of clothes",
        instance="a piece of clothing",
    ),
    source=_source(
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
    test_labels_crc=0x242BC73F,
)

KMNIST = IdxDataset(
    DatasetInfo(
        "kmnist",
        "KMNIST 28×28",
        _SHAPE,
        _SIZES,
        classes=_KANA,
        subject="handwritten Japanese characters",
        instance="one of its characters",
    ),
    source=_source(
        (
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ),
        (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ),
)

MNIST_FAMILY = (MNIST, FASHION_MNIST, KMNIST)

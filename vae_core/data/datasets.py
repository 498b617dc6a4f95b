"""Named data sets as uint8 images with labels and fixed splits, and their binarisation.

Images have shape (N, C, H, W), light ink on a dark ground, 0 to 255.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.errors import check_choice
from vae_core.data.catalogue import stored_dataset
from vae_core.data.download import Progress
from vae_core.settings.data_sets import DatasetInfo, Split, find_dataset


@dataclass(frozen=True)
class Dataset:
    """Images, labels and splits.

    Attributes:
        name: the name for :func:`vae_core.settings.data_sets.find_dataset`.
        images: uint8, shape (N, C, H, W).
        labels: int64, shape (N,).
        splits: which images belong to which split.
    """

    name: str
    images: Tensor
    labels: Tensor
    splits: Mapping[Split, slice]

    @property
    def info(self) -> DatasetInfo:
        """Title, image shape, split sizes and class names of the data set."""
        return find_dataset(self.name)

    def split(self, name: Split) -> tuple[Tensor, Tensor]:
        """Return images (n, C, H, W), uint8, and labels (n,) of a split, as views.

        Raises:
            InvalidArgument: if the data set has no such split.
        """
        check_choice("The split", name, self.splits)
        chosen = self.splits[name]
        return self.images[chosen], self.labels[chosen]

    def to(self, device: torch.device | str) -> "Dataset":
        """Return the same data set with its tensors on ``device``."""
        return dataclasses.replace(
            self, images=self.images.to(device), labels=self.labels.to(device)
        )


def load_dataset(name: str, progress: Progress | None = None) -> Dataset:
    """Load a data set by name, on the CPU.

    ``digits`` need no download. ``mnist``, ``fashion-mnist`` and ``kmnist`` are IDX files, gzipped
    or not. The files are searched in ``VAE_DATA_DIR`` (directly, or in a subfolder with the data
    set's name), then in the cache folder. Missing files are downloaded into the cache folder.

    Args:
        name: one of :func:`vae_core.settings.data_sets.known_datasets`.
        progress: called with (bytes done, total bytes) while files are downloaded.

    Raises:
        DataError: if the name is unknown, or a file is truncated or wrong.
        vae_core.data.download.DownloadError: if files are missing and cannot be downloaded.
    """
    stored = stored_dataset(name)
    images, labels = stored.load(progress)
    splits = _splits(stored.info)
    return Dataset(name, torch.from_numpy(images), torch.from_numpy(labels), splits)


def _splits(info: DatasetInfo) -> Mapping[Split, slice]:
    splits: dict[Split, slice] = {}
    start = 0
    for split, size in info.sizes.items():
        splits[split] = slice(start, start + size)
        start += size
    return splits

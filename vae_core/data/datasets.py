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
        name: what :func:`vae_core.settings.data_sets.find_dataset` finds it by.
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
        """Title, image shape, sizes of the splits and names of the classes."""
        return find_dataset(self.name)

    def split(self, name: Split) -> tuple[Tensor, Tensor]:
        """Images (n, C, H, W), uint8, and labels (n,) of a split: views, not copies.

        Raises:
            InvalidArgument: if the data set has no such split.
        """
        check_choice("The split", name, self.splits)
        chosen = self.splits[name]
        return self.images[chosen], self.labels[chosen]

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data set with its tensors on ``device``."""
        return dataclasses.replace(
            self, images=self.images.to(device), labels=self.labels.to(device)
        )


def load_dataset(name: str, progress: Progress | None = None) -> Dataset:
    """Load a data set by name, on the CPU.

    ``digits`` come with the program. ``mnist``, ``fashion-mnist`` and ``kmnist`` are IDX files,
    gzipped or not. These are looked for in ``VAE_DATA_DIR`` (in a folder of the data set's name
    there, or directly), then in the cache folder; what is missing is downloaded into it.

    Args:
        name: one of :func:`vae_core.settings.data_sets.known_datasets`.
        progress: called with (bytes done, bytes in all) while files are downloaded.

    Raises:
        DataError: for an unknown name, or a file that is truncated or not what it should be.
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

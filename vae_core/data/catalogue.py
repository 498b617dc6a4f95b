"""The table of all data sets. To add a built-in one, add an entry to :data:`BUILT_IN`.

Data sets of the user's own are the folders of :mod:`vae_core.data.kept`.

Nothing here needs torch.
"""

from collections.abc import Mapping

from vae_core.data.digits import DIGITS
from vae_core.data.download import Progress
from vae_core.data.kept import kept_datasets
from vae_core.data.mnist import MNIST_FAMILY
from vae_core.data.stored import StoredDataset
from vae_core.settings.data_sets import DatasetInfo, dataset_called, find_dataset

BUILT_IN: dict[str, StoredDataset] = {each.info.name: each for each in (DIGITS, *MNIST_FAMILY)}


def stored_datasets() -> Mapping[str, StoredDataset]:
    """Return every data set that exists now by name, in the order of lists."""
    return {**BUILT_IN, **{k: v for k, v in kept_datasets().items() if k not in BUILT_IN}}


def stored_dataset(name: str) -> StoredDataset:
    """Return the data set called ``name``.

    Raises:
        DataError: if the data set does not exist.
    """
    return stored_datasets()[find_dataset(name).name]


def dataset_infos() -> Mapping[str, DatasetInfo]:
    """Return the facts about every data set by name; ``find_dataset`` calls this."""
    return {name: stored.info for name, stored in stored_datasets().items()}


def bytes_to_download(name: str) -> int:
    """Return the number of bytes to download before a data set can be loaded; 0 if none."""
    return stored_dataset(name).bytes_to_download()


def at_hand(name: str) -> bool:
    """Whether a data set exists and can be loaded without a download."""
    info = dataset_called(name)
    return info is not None and stored_datasets()[info.name].bytes_to_download() == 0


def file_names(name: str) -> tuple[str, ...]:
    """Return the names of the files to download for a data set; empty for an embedded one."""
    return stored_dataset(name).file_names


def download(name: str, progress: Progress | None = None) -> None:
    """Download the files of a data set that are not on this computer.

    Args:
        progress: called with (bytes done, total bytes).

    Raises:
        DownloadError: if a file cannot be downloaded.
    """
    stored_dataset(name).local_files(progress)

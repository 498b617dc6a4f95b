"""The table of all data sets. For another built-in one, add an entry to :data:`BUILT_IN`.

Nothing here needs torch.
"""

from collections.abc import Mapping

from vae_core.data.digits import DIGITS
from vae_core.data.download import Progress
from vae_core.data.mnist import MNIST_FAMILY
from vae_core.data.stored import StoredDataset
from vae_core.settings.data_sets import DatasetInfo, find_dataset

BUILT_IN: dict[str, StoredDataset] = {each.info.name: each for each in (DIGITS, *MNIST_FAMILY)}


def stored_datasets() -> Mapping[str, StoredDataset]:
    """Every data set by name, in the order in which lists show them."""
    return BUILT_IN


def stored_dataset(name: str) -> StoredDataset:
    """The data set called ``name``.

    Raises:
        DataError: if there is no such data set.
    """
    return stored_datasets()[find_dataset(name).name]


def dataset_infos() -> Mapping[str, DatasetInfo]:
    """What is known of every data set, by name; ``find_dataset`` reads this."""
    return {name: stored.info for name, stored in stored_datasets().items()}


def bytes_to_download(name: str) -> int:
    """How much has to be downloaded before a data set can be loaded; 0 where nothing is missing."""
    return stored_dataset(name).bytes_to_download()


def at_hand(name: str) -> bool:
    """Whether a data set can be loaded without a download."""
    return bytes_to_download(name) == 0


def file_names(name: str) -> tuple[str, ...]:
    """The names of the files that are downloaded for a data set; none for an embedded one."""
    return stored_dataset(name).file_names


def download(name: str, progress: Progress | None = None) -> None:
    """Download the files of a data set that are not on this computer.

    Args:
        progress: called with (bytes done, bytes in all).

    Raises:
        DownloadError: if a file cannot be downloaded.
    """
    stored_dataset(name).local_files(progress)

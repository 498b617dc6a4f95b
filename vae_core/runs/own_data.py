"""The data set of a run, which may be the user's own, and may have changed or gone since.

A run by a data set of the user's own keeps its ``dataset.json``: it can score images without the
data set, but training and figures on it need the very images that it was begun with.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from vae_core.basics.plain_files import read_json, read_plain
from vae_core.data.catalogue import stored_dataset
from vae_core.data.download import Progress
from vae_core.data.kept import DATASET_FILE, MAX_RECORD_BYTES, KeptDataset, info_of
from vae_core.settings.config import RunConfig
from vae_core.settings.data_sets import (
    DataError,
    DatasetInfo,
    dataset_called,
    known_datasets,
)

if TYPE_CHECKING:
    from vae_core.data.datasets import Dataset
    from vae_core.runs.run import Run


def dataset_of(run: "Run", progress: Progress | None = None) -> "Dataset":
    """Load the data set of a run, on the CPU.

    Raises:
        DataError: if it was changed or removed since the run was created.
        DownloadError: as for :func:`vae_core.data.datasets.load_dataset`.
    """
    from vae_core.data.datasets import load_dataset

    check_dataset(run)
    return load_dataset(run.config.dataset, progress)


def check_dataset(run: "Run", *, every_byte: bool = False) -> None:
    """Check that the data set of a run is still the one that it was created with.

    Args:
        every_byte: read all images again, to find changes that ``dataset.json`` does not know of.

    Raises:
        DataError: otherwise.
    """
    kept = run.config.kept_info
    if kept is None:
        return
    found = dataset_called(kept.name)
    if found is None:
        raise DataError(_gone(kept))
    stored = stored_dataset(found.name)
    now = found.digest
    if every_byte and isinstance(stored, KeptDataset):
        now = stored.current_digest()
    if now != kept.digest:
        raise DataError(
            f"The data set {kept.name!r} was changed since this run was created: it has other "
            "images now. Add the former images under this name again, or start a new run."
        )


def _gone(kept: DatasetInfo) -> str:
    """Say that the data set of a run is not here, and what to do."""
    same = (each.name for each in known_datasets().values() if each.digest == kept.digest)
    if (other := next(same, None)) is not None:
        return (
            f"The data set {kept.name!r} of this run is not on this computer, but {other!r} has "
            f"the same images: 'datasets rename {other} {kept.name}' lets the run find them."
        )
    return (
        f"The data set {kept.name!r} of this run is not on this computer any more. Add the same "
        "images under this name again; until then the model can score and draw images."
    )


def kept_record(config: RunConfig) -> bytes | None:
    """Return the ``dataset.json`` that a new run keeps; None for a built-in data set."""
    if not config.info.is_own:
        return None
    stored = stored_dataset(config.dataset)
    assert isinstance(stored, KeptDataset)
    content = read_plain(stored.folder / DATASET_FILE, MAX_RECORD_BYTES)
    if stored.record["name"] == config.dataset:
        return content
    return json.dumps({**stored.record, "name": config.dataset}).encode()  # a renaming was stopped


def kept_info(folder: Path) -> DatasetInfo | None:
    """Read the ``dataset.json`` of a run folder; None if it has none.

    Raises:
        ValueError: if it is damaged.
        OSError: if it cannot be read.
    """
    try:
        return info_of(read_json(folder / DATASET_FILE, MAX_RECORD_BYTES))
    except FileNotFoundError:
        return None

"""Rename data sets of the user's own. Runs and links that name the former name still find them."""

from typing import Any

from vae_core.basics.paths import datasets_folder
from vae_core.data.kept import (
    MOST_NAMES,
    KeptDataset,
    check_name,
    folder_of,
    kept_datasets,
    own_dataset,
    same_name,
    write_record,
)
from vae_core.data.own import check_free, default_title
from vae_core.settings.data_sets import DataError, DatasetInfo


def rename_dataset(name: str, new: str) -> DatasetInfo:
    """Give a data set of the user's own another name, and keep the former one for its runs.

    The folder is moved last: a process that is killed before leaves the data set under its former
    name.

    Raises:
        DataError: if there is no such data set, it is damaged, or the new name cannot be used.
        OSError: if the folder of data sets cannot be written.
    """
    stored = own_dataset(name)
    check_name(new)
    if new == stored.info.name:
        raise DataError(f"The data set is called {new!r} already.")
    _check_free(new, stored)
    former = [each for each in (*stored.info.former_names, stored.info.name) if each != new]
    record: dict[str, Any] = {**stored.record, "name": new, "former_names": former[-MOST_NAMES:]}
    if record["title"] == default_title(stored.info.name, stored.info.image_shape):
        record["title"] = default_title(new, stored.info.image_shape)
    write_record(stored.folder, record)
    stored.folder.rename(datasets_folder() / new)
    return kept_datasets()[new].info


def _check_free(new: str, stored: KeptDataset) -> None:
    """Check a new name, which may be a former name or another spelling of the present one."""
    own = (stored.info.name, *stored.info.former_names)
    is_taken = folder_of(new) not in (None, stored.folder)
    if is_taken or same_name(new) not in map(same_name, own):
        check_free(new)

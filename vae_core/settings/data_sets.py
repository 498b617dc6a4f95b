"""What is known of a data set before its images are loaded, and finding a data set by name.

Never imports torch. The data sets are declared in :mod:`vae_core.data`, each with its info. That
room lies above this one, so :mod:`vae_core` hands its list over with :func:`use_catalogue`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vae_core.basics.errors import UserError

Split = Literal["train", "validation", "test"]
ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before its images are loaded.

    Attributes:
        name: names the data set in commands, links and run folders.
        title: what pages call it.
        image_shape: (C, H, W).
        sizes: the number of images in each split.
        embedded: whether the images are on every computer, so that nothing is downloaded.
        classes: the name of each class; labels count from 0.
        suggested: settings that train well on it. Forms start from them.
        showcase: number of a test image that is easily recognised once binarised. Pages open on it.
    """

    name: str
    title: str
    image_shape: ImageShape
    sizes: Mapping[Split, int]
    embedded: bool = False
    classes: tuple[str, ...] = tuple("0123456789")
    suggested: Mapping[str, Any] = field(default_factory=dict)
    showcase: int = 0


class DataError(UserError, ValueError):
    """A data set or data file that cannot be used, with a sentence that says what to do."""


Catalogue = Callable[[], Mapping[str, DatasetInfo]]
"""Returns the info of every data set by name. It is called whenever a data set is looked up."""

_catalogue: Catalogue = dict


def use_catalogue(catalogue: Catalogue) -> None:
    """Set where data sets are looked up. :mod:`vae_core` does this when it is imported."""
    global _catalogue
    _catalogue = catalogue


def known_datasets() -> Mapping[str, DatasetInfo]:
    """The info of every data set that exists now, by name, in the order of lists."""
    return _catalogue()


def find_dataset(name: str) -> DatasetInfo:
    """The info of the data set called ``name``.

    Raises:
        DataError: if there is no such data set.
    """
    known = known_datasets()
    if name not in known:
        raise DataError(f"There is no data set {name!r}. Known: {', '.join(known)}.")
    return known[name]


def dataset_titles() -> Mapping[str, str]:
    """The title of every data set that exists now, by name."""
    return {name: info.title for name, info in known_datasets().items()}

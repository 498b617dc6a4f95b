"""Facts about data sets that are known before loading, and a search by name.

Never imports torch. The data sets themselves are declared in :mod:`vae_core.data`, which imports
this package and not the other way round. So ``vae_core/__init__.py`` tells this module, by
:func:`use_catalogue`, how to get the list.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vae_core.basics.errors import UserError

Split = Literal["train", "validation", "test"]
ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class Preparation:
    """How image files become pixels of a data set of the user's own.

    Attributes:
        way: ``photo`` resizes the whole picture; ``ink`` cuts to the ink, as for the digits.
        fit: how a photo of another shape is brought into the frame.
        invert: whether dark and light are swapped; ``auto`` decides for each picture of ink.
    """

    way: Literal["photo", "ink"] = "photo"
    fit: Literal["crop", "pad", "stretch"] = "crop"
    invert: Literal["auto", "yes", "no"] = "no"


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a data set that are known before its images are loaded.

    Attributes:
        name: name in commands, links and run folders.
        title: name on pages.
        image_shape: (C, H, W).
        sizes: number of images in each split.
        embedded: whether the images need no download.
        classes: name of each class; labels count from 0. Empty if no image has a label.
        suggested: settings that train well on this data set. Forms start from them.
        showcase: index of a test image that is easy to recognise after binarisation. Pages show it
            first.
        preparation: how files became pixels; None for a built-in data set.
        digest: identifier of the images and labels; empty for a built-in data set.
        former_names: names that it had before it was renamed; runs and links may still have them.
        subject: what the images show, "handwritten digits"; empty if it is not known.
        instance: what one image shows, "a digit"; empty if it is not known.
    """

    name: str
    title: str
    image_shape: ImageShape
    sizes: Mapping[Split, int] = field(hash=False)
    embedded: bool = False
    classes: tuple[str, ...] = tuple("0123456789")
    suggested: Mapping[str, Any] = field(default_factory=dict, hash=False)
    showcase: int = 0
    preparation: Preparation | None = None
    digest: str = ""
    former_names: tuple[str, ...] = ()
    subject: str = ""
    instance: str = ""

    def class_name(self, label: int) -> str:
        """Return the name of the class of a label; −1 has none."""
        return self.classes[label] if label >= 0 else "no class"

    @property
    def is_own(self) -> bool:
        """Whether it was made of the user's own images."""
        return bool(self.digest)


class DataError(UserError, ValueError):
    """A data set or data file cannot be used; the message says what to do."""


Catalogue = Callable[[], Mapping[str, DatasetInfo]]
"""Function that returns the info of every data set by name, called at each search."""

_catalogue: Catalogue = dict


def use_catalogue(catalogue: Catalogue) -> None:
    """Set the function that lists all data sets; :mod:`vae_core` calls this at its import."""
    global _catalogue
    _catalogue = catalogue


def known_datasets() -> Mapping[str, DatasetInfo]:
    """Return the info of every data set that exists now, by name, in the order of lists."""
    return _catalogue()


def find_dataset(name: str) -> DatasetInfo:
    """Return the info of the data set that is, or was, called ``name``.

    Raises:
        DataError: if the data set does not exist.
    """
    known = known_datasets()
    found = dataset_called(name, known)
    if found is None:
        raise DataError(f"There is no data set {name!r}. Known: {', '.join(known)}.")
    return found


def dataset_called(name: str, known: Mapping[str, DatasetInfo] | None = None) -> DatasetInfo | None:
    """Return the info of the data set that is, or was, called ``name``; None if there is none.

    Args:
        known: by default :func:`known_datasets`.
    """
    known = known_datasets() if known is None else known
    former = (each for each in known.values() if name in each.former_names)
    return known.get(name) or next(former, None)


def dataset_titles() -> Mapping[str, str]:
    """Return the title of every data set that exists now, by name; no two are equal.

    Where two data sets have the same title, their names are added.
    """
    known = known_datasets()
    counts = Counter(info.title for info in known.values())
    return {
        name: info.title if counts[info.title] == 1 else f"{info.title} ({name})"
        for name, info in known.items()
    }

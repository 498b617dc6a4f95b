"""What a data set holds: a few of its images, and how many each class has."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.services import data
from app.services.byte_cache import cached
from vae_core.data.kept import SPLITS
from vae_core.settings.data_sets import Split, find_dataset

Counts = Mapping[Split, NDArray[np.int64]]
"""For each split, the images of each class, (K + 1,); the last are those without a class."""
SHOWN = 60
"""Images of a sheet."""
MOST_ROWS = 10
"""Classes that have a row of their own on a sheet."""
_IN_A_ROW, _SMALL = 10, 3 * 32 * 32  # images of a class, where an image has at most so many values


@dataclass(frozen=True)
class Group:
    """Images of one class, or of all if there are no or many classes.

    Attributes:
        name: the class; empty for all.
        images: uint8, (n, C, H, W).
        labels: the class of each image, in words.
    """

    name: str
    images: NDArray[np.uint8]
    labels: tuple[str, ...]


def sheet(name: str, split: Split, turn: int) -> tuple[Group, ...]:
    """Choose images of a split, class by class; another ``turn`` chooses others."""
    return _sheet(name, find_dataset(name).digest, split, turn)


def counts(name: str) -> Counts:
    """Count the images of each class in each split."""
    return _counts(name, find_dataset(name).digest)


@cached(max_entries=32)
def _sheet(name: str, digest: str, split: Split, turn: int) -> tuple[Group, ...]:
    info = find_dataset(name)
    images, labels = (each.numpy() for each in data.dataset(name).split(split))
    random = np.random.RandomState(turn)
    order = random.permutation(len(images)) if turn else np.arange(len(images))
    present = [int(each) for each in np.unique(labels)]
    if 1 < len(present) <= MOST_ROWS:
        few = SHOWN // len(present)
        most = max(few, _IN_A_ROW) if images[0].size <= _SMALL else few
        chosen = {info.class_name(each): order[labels[order] == each][:most] for each in present}
    else:
        chosen = {"": order[:SHOWN]}
    return tuple(
        Group(title, images[places], tuple(info.class_name(int(labels[i])) for i in places))
        for title, places in chosen.items()
    )


@cached(max_entries=32)
def _counts(name: str, digest: str) -> Counts:
    found, most = data.dataset(name), len(find_dataset(name).classes)
    counts: dict[Split, NDArray[np.int64]] = {}
    for split in SPLITS:
        labels = found.split(split)[1].numpy()
        counts[split] = np.bincount(np.where(labels < 0, most, labels), minlength=most + 1)
    return counts

"""Divide images into training, validation and test.

No copy of an image is in two parts, and the frames of one file are in the same part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vae_core.settings.data_sets import Split

Indices = NDArray[np.int64]
_ORDER: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Splitting:
    """Which images are in which part.

    Attributes:
        order: index of each image in the source; training first, then validation, then test.
        sizes: number of images of each part.
        how: a sentence on how they were divided.
        duplicates: how many images are copies of another one, and how many of them were left out
            because they were in two parts of the source.
        notes: sentences for the user.
    """

    order: Indices
    sizes: Mapping[Split, int]
    how: str
    duplicates: Mapping[str, int]
    notes: list[str]


def split_images(
    digests: Sequence[bytes],
    labels: Indices,
    given: Sequence[Split | None],
    shares: tuple[float, float, float],
    seed: int,
    files: Sequence[str] = (),
) -> Splitting:
    """Divide images into three parts.

    Parts of the source are kept; an image without a part is a training image there. A missing
    validation or test part is taken from training. Copies of an image stay together, and so do
    the frames of a file; of copies in two parts, those in the earlier part are left out. The
    chosen images have the classes in the same proportions as all.

    Args:
        digests: equal for equal images.
        labels: class of each image, −1 for none.
        given: the part of each image in the source, if it has one.
        shares: of training, validation and test.
        seed: of the choice and of the order.
        files: the file that each image is a frame of; empty if it is none. Nothing is a frame
            where none are given.
    """
    random = np.random.RandomState(seed)  # the same in all versions of NumPy
    part = np.array([_ORDER.index(each) if each else 0 for each in given], np.int64)
    if part.min() > 0:  # no training images: the parts of the source are of no use
        part[:] = 0
    units = _Units.of(digests, labels, part, files)
    of_unit, kept = units.part.copy(), part == units.part[units.of_image]
    present = {int(each) for each in np.unique(of_unit)}
    missing = _missing(of_unit)
    while missing:
        index = missing[0]
        available = shares[0] + sum(shares[each] for each in missing)
        choose = _choose_files if units.are_files else _choose
        chosen = choose(of_unit, units, shares[index] / available, random)
        most = np.count_nonzero(of_unit == 0) - len(missing)  # the rest has one for each part
        of_unit[chosen[:most]] = missing.pop(0)
    final = of_unit[units.of_image]
    kept &= final == _last_part(digests, final)
    order, sizes = [], {}
    for index, name in enumerate(_ORDER):
        inside = np.flatnonzero(kept & (final == index))
        order.append(random.permutation(inside))
        sizes[name] = len(inside)
    copies, dropped = len(digests) - len(set(digests)), int((~kept).sum())
    return Splitting(
        np.concatenate(order),
        sizes,
        _how(present, shares, bool((labels >= 0).any())),
        {"copies": copies, "left_out": dropped},
        [*_notes(copies, dropped), *units.notes],
    )


@dataclass(frozen=True)
class _Units:
    """Images that stay together: copies of one image, or all frames of one file.

    Attributes:
        of_image: number of the unit of each image, (N,).
        part: where each of U units is in the source, (U,).
        labels: class of each unit, (U,).
        sizes: number of images in each unit, (U,).
        are_files: whether some units are files of several frames.
        notes: sentences for the user.
    """

    of_image: Indices
    part: Indices
    labels: Indices
    sizes: Indices
    are_files: bool
    notes: list[str]

    @classmethod
    def of(
        cls, digests: Sequence[bytes], labels: Indices, part: Indices, files: Sequence[str]
    ) -> "_Units":
        """Put images together. Frames are divided like other images if there are too few files."""
        of_files = files or [""] * len(digests)
        names = [file or digest for file, digest in zip(of_files, digests, strict=True)]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        unit = np.array([numbers[name] for name in names], np.int64)
        of_unit, unit_labels = np.zeros(len(numbers), np.int64), np.empty(len(numbers), np.int64)
        unit_labels[unit[::-1]] = labels[::-1]  # that of the first image
        np.maximum.at(of_unit, unit, part)
        several = any(of_files)
        if several and np.count_nonzero(of_unit == 0) <= len(_missing(of_unit)):
            return replace(cls.of(digests, labels, part, ()), notes=[_FEW_FILES])
        notes = [_TOGETHER] if several else []
        return cls(unit, of_unit, unit_labels, np.bincount(unit), several, notes)


def _missing(part: Indices) -> list[int]:
    """The parts that have to be taken from training."""
    return [index for index in (2, 1) if not (part == index).any()]


_TOGETHER = "The frames of one file are in the same part."
_FEW_FILES = (
    "The frames of one file are in several parts, because there are too few files to keep them "
    "together. If they are alike, figures of the test part are too good: give more files, or "
    "folders called train and test."
)


def _last_part(digests: Sequence[bytes], part: Indices) -> Indices:
    """The last part that has a copy of each image, (N,)."""
    numbers = {digest: number for number, digest in enumerate(dict.fromkeys(digests))}
    group = np.array([numbers[digest] for digest in digests], np.int64)
    last = np.zeros(len(numbers), np.int64)
    np.maximum.at(last, group, part)
    return last[group]


def _choose(part: Indices, units: _Units, share: float, random: np.random.RandomState) -> Indices:
    """Choose a share of the training units, evenly over the classes, and at least one."""
    training = random.permutation(np.flatnonzero(part == 0))
    training = training[np.argsort(units.labels[training], kind="stable")]
    count = min(len(training) - 1, max(1, round(share * len(training))))
    places = ((np.arange(count) + 0.5) * len(training) / max(1, count)).astype(np.int64)
    return training[places]


def _choose_files(
    part: Indices, units: _Units, share: float, random: np.random.RandomState
) -> Indices:
    """Choose training units with about a share of the images of each class, and at least one.

    Each class keeps a unit for training, where it has two or more.
    """
    training = random.permutation(np.flatnonzero(part == 0))
    labels, sizes = units.labels[training], units.sizes[training]
    chosen: list[int] = []
    left_over = 0.0  # images that the classes before have too few, half of one at most
    for label in np.unique(labels):
        inside = training[labels == label]
        goal, taken = share * int(units.sizes[inside].sum()) + left_over, 0
        for unit in inside[: max(1, len(inside) - 1)].tolist():
            size = int(units.sizes[unit])
            if taken + size / 2 <= goal:
                chosen.append(unit)
                taken += size
        left_over = float(np.clip(goal - taken, -0.5, 0.5))
    if not chosen:  # the smallest, if possible of a class that has another
        alone = np.bincount(labels + 1)[labels + 1] == 1
        chosen = [int(training[np.lexsort((sizes, alone))[0]])]
    return np.array(chosen, np.int64)


def _how(present: set[int], shares: tuple[float, float, float], labelled: bool) -> str:
    evenly = ", each class in the same proportion" if labelled else ""
    if present == {0}:
        percent = "/".join(f"{100 * share:g}" for share in shares)
        return f"Divided {percent} by chance into training, validation and test{evenly}."
    missing = [name for index, name in enumerate(_ORDER) if index not in present]
    if not missing:
        return "The parts of the source were kept."
    return (
        f"The parts of the source were kept; {' and '.join(missing)} images were taken from "
        f"training by chance{evenly}."
    )


def _notes(copies: int, dropped: int) -> list[str]:
    if not copies:
        return []
    text = "1 image is an exact copy of another one"
    if copies > 1:
        text = f"{copies:,} images are exact copies of others"
    if dropped:
        return [f"{text}; {dropped:,} of them were left out, so that no image is in two parts."]
    return [f"{text}; copies are in the same part."]

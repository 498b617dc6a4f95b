"""Divide images into training, validation and test.

No copy of an image is in two parts, and the frames of one file are in the same part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vae_core.data.units import FEW_FILES, Indices, Units, missing
from vae_core.settings.data_sets import Split

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
    the frames of a file and of its copies; of copies in two parts, those in the earlier part are
    left out. The chosen images have the classes in the same proportions as all.

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
    units = Units.of(digests, labels, part, files)
    of_unit, kept = units.part.copy(), part == units.part[units.of_image]
    present = {int(each) for each in np.unique(of_unit)}
    lacking = missing(of_unit)
    while lacking:
        index = lacking[0]
        available = shares[0] + sum(shares[each] for each in lacking)
        choose = _choose_files if units.are_files else _choose
        chosen = choose(of_unit, units, shares[index] / available, random)
        most = np.count_nonzero(of_unit == 0) - len(lacking)  # the rest has one for each part
        of_unit[chosen[:most]] = lacking.pop(0)
    final = of_unit[units.of_image]
    kept &= final == _last_part(digests, final)
    order, sizes = [], {}
    for index, name in enumerate(_ORDER):
        inside = np.flatnonzero(kept & (final == index))
        order.append(random.permutation(inside))
        sizes[name] = len(inside)
    if units.are_files and not all(sizes.values()):  # films that are nearly copies of each other
        apart = split_images(digests, labels, given, shares, seed)
        return replace(apart, notes=[*apart.notes, FEW_FILES])
    copies, dropped = len(digests) - len(set(digests)), int((~kept).sum())
    return Splitting(
        np.concatenate(order),
        sizes,
        _how(present, shares, bool((labels >= 0).any())),
        {"copies": copies, "left_out": dropped},
        [*_notes(copies, dropped), *units.notes],
    )


def _last_part(digests: Sequence[bytes], part: Indices) -> Indices:
    """The last part that has a copy of each image, (N,)."""
    numbers = {digest: number for number, digest in enumerate(dict.fromkeys(digests))}
    group = np.array([numbers[digest] for digest in digests], np.int64)
    last = np.zeros(len(numbers), np.int64)
    np.maximum.at(last, group, part)
    return last[group]


def _choose(part: Indices, units: Units, share: float, random: np.random.RandomState) -> Indices:
    """Choose a share of the training units, evenly over the classes, and at least one."""
    training = random.permutation(np.flatnonzero(part == 0))
    training = training[np.argsort(units.labels[training], kind="stable")]
    count = min(len(training) - 1, max(1, round(share * len(training))))
    places = ((np.arange(count) + 0.5) * len(training) / max(1, count)).astype(np.int64)
    return training[places]


def _choose_files(
    part: Indices, units: Units, share: float, random: np.random.RandomState
) -> Indices:
    """Choose training units with about a share of the images of each group, and at least one.

    A group is the films of a class, or its other images; the photographs beside a long film would
    all be chosen otherwise. Each keeps a unit for training, where it has two or more.
    """
    training = random.permutation(np.flatnonzero(part == 0))
    groups, sizes = 2 * units.labels[training] + units.films[training], units.sizes[training]
    chosen: list[int] = []
    left_over = 0.0  # images that the groups before have too few, half of one at most
    for group in np.unique(groups):
        inside = training[groups == group]
        goal, taken = share * int(units.sizes[inside].sum()) + left_over, 0
        for unit in inside[: max(1, len(inside) - 1)].tolist():
            size = int(units.sizes[unit])
            if taken + size / 2 <= goal:
                chosen.append(unit)
                taken += size
        left_over = float(np.clip(goal - taken, -0.5, 0.5))
    if not chosen:  # the smallest, if possible of a group that has another
        alone = np.bincount(groups + 2)[groups + 2] == 1
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

"""Divide images into training, validation and test, without copies of an image in two of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
) -> Splitting:
    """Divide images into three parts.

    Parts of the source are kept; an image without a part is a training image there. A missing
    validation or test part is taken from training. Copies of an image stay together; if the
    source has copies in two parts, those in the earlier part are left out. The chosen images have
    the classes in the same proportions as all.

    Args:
        digests: equal for equal images.
        labels: class of each image, −1 for none.
        given: the part of each image in the source, if it has one.
        shares: of training, validation and test.
        seed: of the choice and of the order.
    """
    random = np.random.RandomState(seed)  # the same in all versions of NumPy
    numbers = {digest: number for number, digest in enumerate(dict.fromkeys(digests))}
    group = np.array([numbers[digest] for digest in digests], np.int64)
    group_labels = np.full(len(numbers), -1, np.int64)
    group_labels[group[::-1]] = labels[::-1]  # that of the first image
    part = np.array([_ORDER.index(each) if each else 0 for each in given], np.int64)
    if part.min() > 0:  # no training images: the parts of the source are of no use
        part[:] = 0
    of_group = np.zeros(len(numbers), np.int64)
    np.maximum.at(of_group, group, part)
    kept = part == of_group[group]
    present = {int(each) for each in np.unique(of_group)}
    missing = [index for index in (2, 1) if index not in present]
    while missing:
        index = missing[0]
        available = shares[0] + sum(shares[each] for each in missing)
        chosen = _choose(of_group, group_labels, shares[index] / available, random)
        of_group[chosen] = missing.pop(0)
    final = of_group[group]
    order, sizes = [], {}
    for index, name in enumerate(_ORDER):
        inside = np.flatnonzero(kept & (final == index))
        order.append(random.permutation(inside))
        sizes[name] = len(inside)
    copies, dropped = len(digests) - len(numbers), int((~kept).sum())
    return Splitting(
        np.concatenate(order),
        sizes,
        _how(present, shares, bool((labels >= 0).any())),
        {"copies": copies, "left_out": dropped},
        _notes(copies, dropped),
    )


def _choose(
    of_group: Indices, labels: Indices, share: float, random: np.random.RandomState
) -> Indices:
    """Choose a share of the training groups, evenly over the classes, and at least one."""
    training = random.permutation(np.flatnonzero(of_group == 0))
    training = training[np.argsort(labels[training], kind="stable")]
    count = min(len(training) - 1, max(1, round(share * len(training))))
    places = ((np.arange(count) + 0.5) * len(training) / max(1, count)).astype(np.int64)
    return training[places]


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

"""Images that stay together when a data set is divided: copies of one image, frames of one file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
TOGETHER = "The frames of one file are in the same part."
FEW_FILES = (
    "The frames of one file are in several parts, because there are too few files to keep them "
    "together. If they are alike, figures of the test part are too good: give more files, or "
    "folders called train and test."
)


@dataclass(frozen=True)
class Units:
    """Images that stay together: copies of one image, or all frames of one file and of its copies.

    Attributes:
        of_image: number of the unit of each image, (N,).
        part: where each of U units is in the source, (U,).
        labels: class of each unit, (U,).
        films: whether each unit is a file of frames, (U,).
        sizes: number of images in each unit, (U,).
        notes: sentences for the user.
    """

    of_image: Indices
    part: Indices
    labels: Indices
    films: NDArray[np.bool_]
    sizes: Indices
    notes: list[str]

    @property
    def are_files(self) -> bool:
        """Whether some units are files of frames."""
        return bool(self.films.any())

    @classmethod
    def of(
        cls, digests: Sequence[bytes], labels: Indices, part: Indices, files: Sequence[str]
    ) -> "Units":
        """Put images together. Frames are divided like other images if there are too few files."""
        whole = _contents(digests, files)
        of_files = files or [""] * len(digests)
        keys = [whole.get(file, digest) for file, digest in zip(of_files, digests, strict=True)]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        unit = np.array([numbers[key] for key in keys], np.int64)
        of_unit, unit_labels = np.zeros(len(numbers), np.int64), np.empty(len(numbers), np.int64)
        unit_labels[unit[::-1]] = labels[::-1]  # that of the first image
        np.maximum.at(of_unit, unit, part)
        if whole and np.count_nonzero(of_unit == 0) <= len(missing(of_unit)):
            return replace(cls.of(digests, labels, part, ()), notes=[FEW_FILES])
        films = np.array([isinstance(key, frozenset) for key in numbers])
        notes = [TOGETHER] if whole else []
        return cls(unit, of_unit, unit_labels, films, np.bincount(unit), notes)


def _contents(digests: Sequence[bytes], files: Sequence[str]) -> dict[str, frozenset[bytes]]:
    """The frames of each file by its name; equal for copies of a file."""
    found: dict[str, set[bytes]] = {}
    for file, digest in zip(files, digests, strict=bool(files)):
        if file:
            found.setdefault(file, set()).add(digest)
    return {file: frozenset(frames) for file, frames in found.items()}


def missing(part: Indices) -> list[int]:
    """The parts that have to be taken from training."""
    return [index for index in (2, 1) if not (part == index).any()]

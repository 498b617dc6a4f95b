"""What every source of images has."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_core.data.decode import ImageError
from vae_core.data.listing import Limits

MOST_FILES = 300_000
LIMITS = Limits(MOST_FILES, 20_000_000_000, 20_000_000_000)
"""How much of an archive is read for a data set, streaming."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or image of a source.

    Attributes:
        name: path inside the source.
        content: the bytes of a file; or an image, uint8 (H, W) or (H, W, C); or why there is none.
        label: name of its class, where the source itself states it.
        split: name of its part, where the source itself states it.
        file: path of the file that it is a frame of; empty if it is a file or an image itself.
    """

    name: str
    content: bytes | NDArray[np.uint8] | ImageError
    label: str | None = None
    split: str | None = None
    file: str = ""


class Source(ABC):
    """Images to make a data set of.

    Attributes:
        path: where they are.
        kind: what it is, for a sentence.
        arranged: whether entries state their labels; otherwise names of folders do.
        notes: sentences about what was found.
    """

    kind = "folder"
    arranged = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """Read the source from its beginning, always in the same order.

        Raises:
            DataError: if the source as a whole cannot be used.
        """

"""A small made-up data set in colour: soft blobs on a coloured ground, 8-bit, not square."""

import numpy as np
import pytest

from vae_core.data.catalogue import BUILT_IN
from vae_core.data.download import Progress
from vae_core.data.stored import Pixels, StoredDataset
from vae_core.settings.data_sets import DatasetInfo

INFO = DatasetInfo(
    "patches",
    "Patches 6×8",
    (3, 6, 8),
    {"train": 300, "validation": 100, "test": 40},
    embedded=True,
    classes=("left", "right"),
)


class Patches(StoredDataset):
    def load(self, progress: Progress | None = None) -> Pixels:
        """Draw the images: one of two places of the blob, any colours, a little noise."""
        rng = np.random.default_rng(0)
        _, height, width = self.info.image_shape
        count = sum(self.info.sizes.values())
        labels = np.arange(count) % 2
        rows, columns = np.mgrid[:height, :width]
        centre = np.where(labels == 0, 0.25, 0.75) * width + rng.normal(0, 0.7, count)
        blob = np.exp(-((rows - height / 2) ** 2 + (columns - centre[:, None, None]) ** 2) / 4)
        ground, ink = rng.uniform(20, 120, (2, count, 3, 1, 1))
        images = ground + ink * blob[:, None] + rng.normal(0, 4, (count, 3, height, width))
        return images.clip(0, 255).round().astype(np.uint8), labels


def add_patches(patch: pytest.MonkeyPatch) -> None:
    """Add the data set to the table."""
    patch.setitem(BUILT_IN, INFO.name, Patches(INFO))

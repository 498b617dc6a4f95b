"""The 8×8 digits of scikit-learn, which need no download."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vae_core.data.download import Progress
from vae_core.data.stored import Layout, Pixels, StoredDataset
from vae_core.settings.data_sets import DatasetInfo

DIGITS_PERMUTATION_SEED = 0
"""Seed that shuffles the digits before they are cut into train, validation and test, by
``numpy.random.RandomState(0).permutation(1797)``. The result is the same in all NumPy versions. In
the published order, neighbouring images come from the same writer."""


class _Digits(StoredDataset):
    def load(self, progress: Progress | None = None) -> Pixels:
        """Load the digits. Grey levels v from 0 to 16 become round(255 v / 16)."""
        table = _digits_table()
        order = np.random.RandomState(DIGITS_PERMUTATION_SEED).permutation(len(table))
        table = table[order]
        images = np.rint(table[:, :64] * (255 / 16)).astype(np.uint8)
        return images.reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)


def _digits_table() -> NDArray[np.float64]:
    """Read 64 pixels and the class, (1797, 65), if possible without the slow import of sklearn."""
    spec = importlib.util.find_spec("sklearn")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "datasets" / "data" / "digits.csv.gz"
        if path.exists():
            with gzip.open(path, "rt", encoding="ascii") as stream:
                return np.loadtxt(stream, delimiter=",")
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    return np.column_stack([pixels, classes])


DIGITS = _Digits(
    DatasetInfo(
        "digits",
        "Digits 8×8",
        (1, 8, 8),
        {"train": 1297, "validation": 200, "test": 300},
        embedded=True,
        suggested={"epochs": 200, "learning_rate": 3e-3, "kl_warmup_epochs": 10},
        showcase=176,
        subject="handwritten digits",
        instance="a digit",
    ),
    Layout(
        1, 20 / 32, 2, "box", 4, shades=False, reason="counting ink in 4×4 blocks, as in the data"
    ),
)
"""The images are counts in 4×4 blocks of 32×32 bitmaps. In a bitmap, the ink is centred, and about
32 pixels high and 20 wide for all digits."""

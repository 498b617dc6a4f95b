"""The data sets by name, and what is known of each before it is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vae_core.basics.errors import UserError

DatasetName = Literal["digits", "mnist", "fashion-mnist", "kmnist"]
Split = Literal["train", "validation", "test"]
ImageShape = tuple[int, int, int]


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set before it is loaded.

    ``suggested`` are settings that train well on it; forms start from them. ``showcase`` is a test
    image that is easily recognised when it is binarised; pages open on it.
    """

    title: str
    image_shape: ImageShape
    sizes: Mapping[Split, int]
    embedded: bool
    classes: tuple[str, ...] = tuple("0123456789")
    suggested: Mapping[str, Any] = field(default_factory=dict)
    showcase: int = 0


_MNIST_SIZES: Mapping[Split, int] = {"train": 50_000, "validation": 10_000, "test": 10_000}
_FASHION = (
    "T-shirt", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_KANA = ("お o", "き ki", "す su", "つ tsu", "な na", "は ha", "ま ma", "や ya", "れ re", "を wo")
DATASETS: Mapping[DatasetName, DatasetInfo] = {
    "digits": DatasetInfo(
        "Digits 8×8",
        (1, 8, 8),
        {"train": 1297, "validation": 200, "test": 300},
        embedded=True,
        suggested={"epochs": 200, "learning_rate": 3e-3, "kl_warmup_epochs": 10},
        showcase=176,
    ),
    "mnist": DatasetInfo("MNIST 28×28", (1, 28, 28), _MNIST_SIZES, embedded=False),
    "fashion-mnist": DatasetInfo(
        "Fashion-MNIST 28×28", (1, 28, 28), _MNIST_SIZES, embedded=False, classes=_FASHION
    ),
    "kmnist": DatasetInfo("KMNIST 28×28", (1, 28, 28), _MNIST_SIZES, embedded=False, classes=_KANA),
}


class DataError(UserError, ValueError):
    """A data file that is missing something, with what to do about it."""

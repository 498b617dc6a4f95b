"""Keys of the fits of q* to single images, by which pages find each other's results."""

import hashlib
from collections.abc import Hashable
from typing import TYPE_CHECKING

from app.services.densities import SEED
from app.services.models import Choice

if TYPE_CHECKING:
    from torch import Tensor


def identity(choice: Choice, x: "Tensor") -> tuple[str, str, str]:
    """Key of all results for an image, (1, C, H, W), as a model sees it."""
    return choice.key, choice.digest, hashlib.sha256(x.numpy().tobytes()).hexdigest()


def refit_key(choice: Choice, x: "Tensor") -> Hashable:
    """Key of the best q of the model's family for an image."""
    return ("refit", *identity(choice, x), SEED)

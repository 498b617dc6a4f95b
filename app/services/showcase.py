"""The model that shows best how a VAE works, which Start opens at first."""

from collections.abc import Mapping

from app.services import models
from app.services.data import missing
from app.services.models import Choice

_READABLE = 28  # pixels on a side; digits of 8 pixels are hard to read once they are binarised
_PLANE = 2  # latent dimensions that a picture can show


def first_of(found: Mapping[str, Choice]) -> Choice | None:
    """Choose a pretrained model with d = 2 of images that are easy to read, if they are at hand.

    Otherwise choose the first model whose images come with the program.
    """
    readable = (each for each in found.values() if each.pretrained and _is_readable(each))
    return next(readable, models.first_of(found))


def _is_readable(choice: Choice) -> bool:
    model = choice.run.config.model
    large = min(model.image_shape[1:]) >= _READABLE
    return large and model.latent_size == _PLANE and not missing(choice)

"""Example images of the Score page, made from test images of the model's data set."""

from collections.abc import Iterator

from torch import Tensor

from app.services import models
from app.services.models import Choice
from app.views.score.inputs import Given
from vae_core.scoring.examples import example_images, stand_in_images


def examples(images: Tensor) -> Iterator[Given]:
    """Make the examples from a data set's test images (N, C, H, W), uint8."""
    return (Given(*each) for each in example_images(images))


def stand_ins(choice: Choice) -> Iterator[Given]:
    """Make examples without the data set: of other handwritten digits, or of the model's draws."""
    return (Given(*each) for each in stand_in_images(models.model(choice), choice.run.config.info))

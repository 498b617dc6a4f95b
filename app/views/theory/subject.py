"""The model and the image of the Theory page, and the links that carry them to the labs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.services.images import Images
from app.services.models import Choice
from app.services.walk import reference_of, walk_of
from app.shell import navigation
from vae_core.settings.config import ModelConfig

if TYPE_CHECKING:
    from torch import Tensor

    from app.services.walk_numbers import Reference, Walk

SEED = 0
"""The number of the draw of ε on the Start page."""
REPEATS = 100
GRADIENT_SAMPLES = 8
"""R and L of the gradients that are compared: the first ones of the page Gradients."""


@dataclass(frozen=True)
class Subject:
    """One image, one model, and L.

    Attributes:
        images: the images to choose from.
        index: number of the image.
        samples: L.
    """

    images: Images
    index: int
    samples: int

    @property
    def choice(self) -> Choice:
        """The model, not loaded."""
        return self.images.choice

    @property
    def config(self) -> ModelConfig:
        """Settings of the model."""
        return self.choice.run.config.model

    @property
    def x(self) -> "Tensor":
        """The image as the model sees it, (1, C, H, W) in [0, 1], on the CPU."""
        return self.images.x(self.index)

    @property
    def walk(self) -> "Walk":
        """L draws of ε and all that is computed from them, as on the Start page."""
        return walk_of(self.images, self.index, SEED, self.samples)

    @property
    def about(self) -> "Reference":
        """Values that do not depend on ε, as on the Start page."""
        return reference_of(self.images, self.index)

    def link(self, page: str, label: str, **query: str) -> None:
        """Draw a link to the page of a lab that opens it with this model and image."""
        navigation.link(page, label, **{"model": self.choice.key, **self._image(page), **query})

    def _image(self, page: str) -> dict[str, str]:
        labs = self.images.links(self.index)
        same = {
            "gradient-k": "1", "gradient-upto": str(GRADIENT_SAMPLES),
            "gradient-l": str(GRADIENT_SAMPLES), "gradient-r": str(REPEATS),
        }  # fmt: skip
        found = {
            "start": {"image": str(self.index), "L": str(self.samples), "epsilon": str(SEED)},
            "posterior": labs["posterior"],
            "gradients": labs["gradients"] | same,
        }
        return found.get(page, {})

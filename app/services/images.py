"""The images that a page shows: of a data set or, if it is missing, drawn by the model.

Images that a model draws, z ~ p(z) and x ~ p(x|z), need no file, and all numbers can be computed
for them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.figures.pictures import Picture, as_picture
from app.services import data
from app.services.models import Choice
from vae_core.settings.data_sets import DatasetInfo, Split

if TYPE_CHECKING:
    from torch import Tensor

    from vae_core.data.pixels import PackedImages

DRAWS = 10_000
"""Number of images that a page can ask a model to draw."""
_SEED = 0  # of binarisation


@dataclass(frozen=True)
class Images:
    """Images by number, as a model sees them.

    Attributes:
        choice: the model.
        split: a split of the model's data set; None for images that the model draws.
    """

    choice: Choice
    split: Split | None

    @classmethod
    def at_hand(cls, choice: Choice, split: Split = "test") -> "Images":
        """Choose the images of a split or, if the data set is missing, images the model draws."""
        return cls(choice, None if data.missing(choice) else split)

    @property
    def origin(self) -> str:
        """Where the images come from, in the words of a protocol."""
        return self.split or "drawn by the model"

    @property
    def pixels(self) -> str:
        """How the pixels became 0 or 1, in the words of a protocol."""
        return self.choice.run.config.pixels if self.split else "z from p(z), pixels from p(x|z)"

    @property
    def count(self) -> int:
        """Number of images."""
        return self._data_info.sizes[self.split] if self.split else DRAWS

    def x(self, first: int, count: int = 1) -> "Tensor":
        """Return consecutive images, float32 (count, C, H, W) in [0, 1], on the CPU."""
        if self.split:
            return self._of_split(self.split)[0][first : first + count]
        import torch

        return torch.cat([data.drawn(self.choice, i)[0] for i in range(first, first + count)])

    def identity(self) -> tuple[str, str, str]:
        """Return a key for caches: equal keys mean equal results."""
        return *self.choice.weights(), self.origin

    def label(self, index: int) -> str:
        """Return the full name of an image: "test image 7: 3", or "draw 7 of the model"."""
        if not self.split:
            return self.name(index)
        return f"{self.split} image {index}: {self.name(index)}"

    def name(self, index: int) -> str:
        """Return the short name of an image: its class, or "draw 7 of the model"."""
        if not self.split:
            return f"draw {index} of the model"
        _, labels = self._of_split(self.split)
        return self._data_info.class_name(int(labels[index]))

    def thumbnail(self, index: int) -> Picture:
        """Return a picture of an image, with the data set's grey levels, not binarised."""
        if not self.split:
            return as_picture(self.x(index)[0])
        images, _ = data.dataset(self.choice.run.config.dataset).split(self.split)
        return as_picture(images[index])

    def code(self, first: int, count: int = 1) -> tuple[list[str], list[str]]:
        """Write the Python code that makes x for ``model``: imports besides torch, statements."""
        end = first + count
        if not self.split and count == 1:
            making = [f"x, z = simulate(model, 1, torch.Generator().manual_seed({first}))"]
            return ["from vae_core import simulate"], making
        if not self.split:
            each = "simulate(model, 1, torch.Generator().manual_seed(i))[0]"
            making = [f"x = torch.cat([{each} for i in range({first}, {end})])"]
            return ["from vae_core import simulate"], making
        config = self.choice.run.config
        imports = [
            "from vae_core import load_dataset",
            "from vae_core.data.pixels import evaluation_images",
        ]
        protocol = f'"{self.split}", "{config.train.binarisation}", seed={_SEED}'
        return imports, [
            f'data = load_dataset("{config.dataset}")',
            f"x, _ = evaluation_images(data, {protocol})",
            f"x = x[{first}:{end}]",
        ]

    def links(self, index: int) -> dict[str, dict[str, str]]:
        """Query parameters, by lab, with which it opens on an image."""
        number = str(index)
        alone = {"gradient-first": number, "gradient-count": "1"}
        if not self.split:
            drawn = {"source": "Drawn by the model", "draw": number}
            return {"posterior": drawn, "gradients": alone}
        return {
            "posterior": {"source": "Test image", "image": number},
            "gradients": {**alone, "split": self.split},
        }

    @property
    def _data_info(self) -> DatasetInfo:
        return self.choice.run.config.info

    def _of_split(self, split: Split) -> "tuple[PackedImages, Tensor]":
        config = self.choice.run.config
        return data.images(config.dataset, split, config.train.binarisation, _SEED)

"""The protocol of a figure: the images and the numbers of samples it was measured with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, cast

from vae_core.settings.choices import AUGMENTED, Augmentation, Binarisation, ProposalName
from vae_core.settings.data_sets import Split, dataset_called

EVALUATION_SEED = 0
EPOCH_IMAGES = 2000
"""The first validation images, so many, are those that choose the epoch to keep."""
HELD_OUT_IMAGES = 1000
"""Test images that a finished run is scored on."""
HELD_OUT_SAMPLES = 200
"""K for log p̂(x) of these images."""

DRAWN_FROM: Mapping[ProposalName, str] = {
    "encoder": "the encoder's q(z|x)",
    "refined": "a q refined for each image",
}


@dataclass(frozen=True)
class Protocol:
    """Protocol of a figure. Figures can be compared only if their protocols agree.

    Attributes:
        dataset: name of the data set, or another source of the images.
        split: split of the data set, or another description of the images.
        binarisation: how grey pixels became bits.
        images: number of images.
        samples: L, the draws of z for an ELBO.
        importance_samples: K, the draws of z for log p̂(x).
        proposal: the distribution of these K draws.
        seed: seed of all random numbers.
        augment: how the images were changed by chance.
        given: what the model knew of each image: ``class`` for figures of p(x|y).
    """

    dataset: str
    split: str
    binarisation: Binarisation | None = None
    images: int | None = None
    samples: int | None = None
    importance_samples: int | None = None
    proposal: ProposalName | None = None
    seed: int | None = None
    augment: Augmentation | None = None
    given: Literal["class"] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert to a dictionary without unknown values, as part of a record."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """Read the protocol from a record; other keys are ignored."""
        return cls(**{f.name: record[f.name] for f in fields(cls) if f.name in record})

    def text(self, *notes: str, pixels: str = "") -> str:
        """Write the protocol in one line, for a page or a terminal.

        Args:
            notes: appended at the end.
            pixels: description of the pixels (:func:`~vae_core.settings.choices.pixels_as`).
        """
        draws = "" if self.importance_samples is None else f"K = {self.importance_samples:,}"
        if draws and self.proposal:
            draws += f" from {DRAWN_FROM[self.proposal]}"
        parts = (
            self._images_in_words(),
            pixels,
            AUGMENTED.get(self.augment or "none", ""),
            "given its class" if self.given else "",
            "" if self.samples is None else f"L = {self.samples:,}",
            draws,
            "" if self.seed is None else f"seed {self.seed}",
            *notes,
        )
        return " · ".join(filter(None, parts))

    def _images_in_words(self) -> str:
        """Say which images: the first ones of a split, or all of them.

        The first images may be easier than the others: the first 1,000 test images of MNIST are
        more probable than all 10,000, by about a nat.
        """
        known = dataset_called(self.dataset)
        where = f"{known.title if known else self.dataset}, {self.split}"
        if self.images is None:
            return where
        sizes = dict(known.sizes) if known else {}
        total = sizes.get(cast(Split, self.split), 0)
        if self.images < total:
            return f"first {self.images:,} of {total:,} images of {where}"
        return f"{self.images:,} images of {where}"

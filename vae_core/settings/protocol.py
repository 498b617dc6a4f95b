"""The protocol of a figure: what was measured, on which images, with how many samples."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from vae_core.settings.choices import Binarisation, ProposalName
from vae_core.settings.data_sets import dataset_titles

EVALUATION_SEED = 0
HELD_OUT_IMAGES = 1000
"""Test images that a finished run is scored on."""
HELD_OUT_SAMPLES = 200
"""K of their log p̂(x)."""

DRAWN_FROM: Mapping[ProposalName, str] = {
    "encoder": "the encoder's q(z|x)",
    "refined": "a q refined for each image",
}


@dataclass(frozen=True)
class Protocol:
    """How a figure was measured. Figures compare only where their protocols agree.

    Attributes:
        dataset: name of the data set, or what else the images are from.
        split: of the data set, or which images else.
        binarisation: how grey pixels became bits.
        images: how many there were.
        samples: L, the draws of z for an ELBO.
        importance_samples: K, the draws of z for log p̂(x).
        proposal: what these were drawn from.
        seed: of every draw.
    """

    dataset: str
    split: str
    binarisation: Binarisation | None = None
    images: int | None = None
    samples: int | None = None
    importance_samples: int | None = None
    proposal: ProposalName | None = None
    seed: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """What is known, as the keys of a record."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        """The protocol that a record carries; its other keys are left alone."""
        return cls(**{f.name: record[f.name] for f in fields(cls) if f.name in record})

    def text(self, *notes: str, pixels: str = "") -> str:
        """The protocol in one line, for a page or a terminal.

        Args:
            notes: added at the end.
            pixels: how pixels entered (:func:`~vae_core.settings.choices.pixels_as`).
        """
        where = f"{dataset_titles().get(self.dataset, self.dataset)}, {self.split}"
        draws = "" if self.importance_samples is None else f"K = {self.importance_samples:,}"
        if draws and self.proposal:
            draws += f" from {DRAWN_FROM[self.proposal]}"
        parts = (
            where if self.images is None else f"{self.images:,} images of {where}",
            pixels,
            "" if self.samples is None else f"L = {self.samples:,}",
            draws,
            "" if self.seed is None else f"seed {self.seed}",
            *notes,
        )
        return " · ".join(filter(None, parts))

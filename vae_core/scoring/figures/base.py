"""A figure: one number for each image that says how usual the image is for a model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from vae_core.scoring.context import ImageContext

Measure = Callable[["ImageContext"], Tensor]


@dataclass(frozen=True)
class Figure:
    """One number for each image, to compare with the same number of held-out images.

    Attributes:
        name: key in JSON, in tables and in a calibration.
        title: name in a sentence, "the likelihood regret".
        unit: unit of the values, in letters, because it ends the name of a column in files.
        measure: computes the values of B images, (B,), float64; NaN where unknown.
        two_sided: whether low values are atypical as well as high ones.
        se: computes the standard errors of the values, (B,), if the figure has them.
        short: heading of a column; the title if empty.
    """

    name: str
    title: str
    unit: str
    measure: Measure
    two_sided: bool = False
    se: Measure | None = None
    short: str = ""

    @property
    def heading(self) -> str:
        """Heading of a column."""
        return self.short or self.title

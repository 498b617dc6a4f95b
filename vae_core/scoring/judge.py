"""The judge of images: a binarisation, and a calibration with the same binarisation."""

from dataclasses import dataclass

from torch import Tensor

from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration, rounded
from vae_core.scoring.context import ImageContext
from vae_core.scoring.place import Place
from vae_core.settings.choices import Binarisation
from vae_core.settings.options import FALSE_ALARMS


@dataclass(frozen=True)
class Judge:
    """The reference for images of one binarisation.

    Attributes:
        binarisation: how the pixels of the images become binary.
        calibration: held-out images of the same binarisation. If None, images get figures but no
            verdict.
        false_alarms: α, the share of images of the data that may be called unlike it.
    """

    binarisation: Binarisation = "dynamic"
    calibration: Calibration | None = None
    false_alarms: float = FALSE_ALARMS

    @classmethod
    def of(
        cls,
        calibration: Calibration | None,
        binarisation: Binarisation,
        false_alarms: float = FALSE_ALARMS,
    ) -> "Judge":
        """Make the judge for a binarisation.

        A calibration with another binarisation is dropped, because the scores cannot be compared.
        """
        fits = calibration is not None and calibration.binarisation == binarisation
        return cls(binarisation, calibration if fits else None, false_alarms)

    def context(self, model: VAE, x: Tensor, importance_samples: int, seed: int) -> ImageContext:
        """Make the context of images x (B, C, H, W), with log p̂(x) by the given K and seed.

        All other figures are measured like those of the held-out images.

        Raises:
            ValueError: if K is out of range.
        """
        if self.calibration is None:
            return ImageContext(model, x, importance_samples, seed)
        return self.calibration.context(model, x).estimated_by(importance_samples, seed)

    def places(self, images: ImageContext) -> list[Place | None]:
        """Find the place of each image's log p̂(x) among held-out images; None without them."""
        if self.calibration is None:
            return [None] * len(images.x)
        log_px = rounded(self.calibration.comparable(images).log_px)
        return [self.calibration.place(each) for each in log_px.tolist()]


def as_judge(given: Judge | Calibration | None) -> Judge:
    """Return a judge unchanged, or make the judge of a calibration with its own binarisation."""
    if isinstance(given, Judge):
        return given
    return Judge() if given is None else Judge(given.binarisation, given)

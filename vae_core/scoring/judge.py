"""The judge of images: a calibration, for images of one binarisation."""

from dataclasses import dataclass

from torch import Tensor

from vae_core.model.vae import VAE
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.context import ImageContext
from vae_core.scoring.place import Place
from vae_core.settings.choices import Binarisation


@dataclass(frozen=True)
class Judge:
    """What images of one binarisation are compared with.

    Attributes:
        binarisation: how the pixels of the images become binary.
        calibration: held-out images of the same binarisation; None where none are known, so that
            images get figures and no verdict.
    """

    binarisation: Binarisation = "dynamic"
    calibration: Calibration | None = None

    @classmethod
    def of(cls, calibration: Calibration | None, binarisation: Binarisation) -> "Judge":
        """Make the judge of images of a binarisation; a calibration of another one is dropped,
        because scores of different binarisations do not compare."""
        fits = calibration is not None and calibration.binarisation == binarisation
        return cls(binarisation, calibration if fits else None)

    def context(self, model: VAE, x: Tensor, importance_samples: int, seed: int) -> ImageContext:
        """Images x (B, C, H, W) with log p̂(x) by that K and seed, and all else as held-out images.

        Raises:
            ValueError: if K is out of range.
        """
        if self.calibration is None:
            return ImageContext(model, x, importance_samples, seed)
        return self.calibration.context(model, x).estimated_by(importance_samples, seed)

    def places(self, images: ImageContext) -> list[Place | None]:
        """Find the place of each image among held-out images by log p̂(x); None without any."""
        if self.calibration is None:
            return [None] * len(images.x)
        log_px = self.calibration.comparable(images).log_px
        return [self.calibration.place(each) for each in log_px.tolist()]


def as_judge(given: Judge | Calibration | None) -> Judge:
    """Return a judge as it is; a calibration stands for the judge of its own binarisation."""
    if isinstance(given, Judge):
        return given
    return Judge() if given is None else Judge(given.binarisation, given)

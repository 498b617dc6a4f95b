"""Every choice for a data set of the user's own: command line, pages and Python share them."""

import re
from dataclasses import dataclass
from typing import Literal

from vae_core.settings.choices import Frames
from vae_core.settings.fields import Checked, ConfigError, setting

SIDES = (8, 128)
"""Smallest and largest height and width of the images."""


@dataclass(frozen=True)
class AddOptions(Checked):
    """How images become a data set. "auto" takes what the files suggest, and says why."""

    title: str = setting(
        "", "Title", "Name on pages; if empty, the name of the data set and the size of its images."
    )
    size: str = setting(
        "auto",
        "Size",
        "Height x width of the images, such as 32 or 48x64, from 8 to 128; auto keeps the size of "
        "the files where all agree.",
    )
    colour: Literal["auto", "grey", "rgb"] = setting(
        "auto",
        "Colour",
        "Grey, or red, green and blue; auto is rgb where files have colours.",
        titles={"auto": "Auto", "grey": "Grey", "rgb": "Colour"},
    )
    prepare: Literal["auto", "photo", "ink"] = setting(
        "auto",
        "Preparation",
        "Photo resizes the whole picture; ink cuts to the ink and centres it, as for digits.",
        titles={"auto": "Auto", "photo": "Photo", "ink": "Ink"},
    )
    fit: Literal["crop", "pad", "stretch"] = setting(
        "crop",
        "Fit",
        "How a photo of another shape is fitted: cropped in the middle, padded, or stretched.",
        advanced=True,
        titles={"crop": "Crop", "pad": "Pad", "stretch": "Stretch"},
    )
    invert: Literal["auto", "yes", "no"] = setting(
        "auto",
        "Invert",
        "Swap dark and light; auto does so for dark ink on a light ground.",
        advanced=True,
        titles={"auto": "Auto", "yes": "Yes", "no": "No"},
    )
    augment: Literal["auto", "none", "flip", "shift", "flip-shift"] = setting(
        "auto",
        "Augmentation",
        "What training on the data set does with its images by chance, unless another is chosen "
        "there: mirror them (flip), shift them by up to a sixteenth of their sides, or both. Auto "
        "mirrors photographs.",
        advanced=True,
        titles={"auto": "Auto", "none": "None", "flip": "Flip", "shift": "Shift",
                "flip-shift": "Flip and shift"},
    )  # fmt: skip
    frames: Frames = setting(
        "first",
        "Frames",
        "What is taken of animated and multi-page files (GIF, TIFF, WebP, PNG): the first frame, "
        "or every frame as an image of its own.",
        advanced=True,
        titles={"first": "The first", "all": "All"},
    )
    range: Literal["auto", "1", "255"] = setting(
        "auto",
        "Range",
        "Largest value of an array file; auto takes 1 if no value is larger, else the levels of "
        "8 bits, or of 16 bits where there are more.",
        advanced=True,
        titles={"auto": "Auto", "1": "0 to 1", "255": "0 to 255"},
    )
    split: str = setting(
        "80/10/10",
        "Split",
        "Percentages of training, validation and test images, where the source has no such parts.",
        advanced=True,
    )
    seed: int = setting(
        0,
        "Seed",
        "Seed of the split and of the order of the images.",
        bounds=(0, 2**31 - 1),
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.frame, self.shares

    @property
    def frame(self) -> tuple[int, int] | None:
        """Height and width; None for the size that the files suggest."""
        if self.size == "auto":
            return None
        found = re.fullmatch(r"(\d{1,4})(?:[x×](\d{1,4}))?", self.size.strip().lower())
        low, high = SIDES
        height = int(found[1]) if found else 0
        width = int(found[2]) if found and found[2] else height
        if not (low <= height <= high and low <= width <= high):
            raise ConfigError(
                f"Size must be height x width, each {low} to {high}, such as 32 or 48x64; it was "
                f"{self.size!r}."
            )
        return height, width

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of training, validation and test images, which add up to 1."""
        parts = self.split.split("/")
        numbers = [float(each) if re.fullmatch(r"\d+(\.\d+)?", each) else 0.0 for each in parts]
        if len(numbers) != 3 or min(numbers) <= 0 or abs(sum(numbers) - 100) > 1e-6:
            raise ConfigError(
                "Split must be three percentages above 0 that add up to 100, such as 80/10/10; it "
                f"was {self.split!r}."
            )
        train, validation, test = (number / 100 for number in numbers)
        return train, validation, test

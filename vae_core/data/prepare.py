"""Turn an image file into pixels for a model, and record every step so that it can be shown.

A picture that already has the model's size and light ink on a dark ground is not changed at all.
Any other picture is brought into the same form as the images of the data set.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vae_core.data.archives import iter_archive
from vae_core.data.catalogue import stored_dataset
from vae_core.data.decode import decode, read_bytes, short_name
from vae_core.data.files import iter_files
from vae_core.data.kept import INK, layout_of
from vae_core.data.layout import (
    Box,
    corners_agree,
    evened,
    fitted,
    ground_level,
    ink_box,
    levelled,
    light_share,
    placed,
    two_levels,
    unevenness,
)
from vae_core.data.photo import grey_of, photo_steps, read_levels
from vae_core.data.picture import Grey, ImageError, Levels, Step, shown
from vae_core.data.stored import WHOLE, Layout
from vae_core.settings.data_sets import DatasetInfo, ImageShape, Preparation

__all__ = [
    "ImageError",
    "PrepareOptions",
    "Prepared",
    "Step",
    "iter_archive",
    "iter_files",
    "prepare",
    "read_image",
]
Choice = Literal["auto", "yes", "no"]
_ONE_COLOUR = 1.5 / 255  # a smaller range of grey levels counts as one colour
_UNEVEN = 0.06  # variation along the edge up to this value counts as noise
_PHOTOGRAPH = 64  # smallest shorter side of a photograph, in pixels
_ROUGH = 0.4  # if a larger share of the variation remains, it does not come from the light alone
_FAINT = 0.5 / 255  # a ground this dark needs no stretching; a lighter one would become ink
_STRONG = 0.9  # ink this bright needs no stretching
_CONTRAST = 0.05  # a smaller difference of ground and ink is the grain of empty paper
_MARGIN = 0.15  # share of the range cut off at both ends by stretching, because it is noise
_PEAK = 0.95  # ink darker than this after resizing is brightened
_ASKED = "because you asked for it"


@dataclass(frozen=True)
class PrepareOptions:
    """The steps to take; "auto" takes a step only if the picture needs it.

    Attributes:
        invert: swap dark and light.
        contrast: even out the light, and make the ground black and the ink white.
        crop: cut to the ink, and fit it into the box that the ink fills in the training images.
        centre: move the ink to its place in the training images.
    """

    invert: Choice = "auto"
    contrast: Choice = "auto"
    crop: Choice = "auto"
    centre: Choice = "auto"


@dataclass(frozen=True)
class Prepared:
    """A file prepared for a model.

    Attributes:
        filename: name of the file.
        grey: the picture in the file as grey levels; float32 in [0, 1], shape (H, W).
        steps: the steps from the file to ``pixels``, in order.
        pixels: uint8, shape (C, H, W): the grey image that the run's protocol binarises.
        inverted: whether dark and light were swapped.
        crop: the part of ``grey`` that was kept, or None for all of it.
        untouched: whether ``pixels`` are exactly those of the file.
        inkless: whether the picture is empty: one colour, or the grain of empty paper.
    """

    filename: str
    grey: Grey
    steps: tuple[Step, ...]
    pixels: Tensor
    inverted: bool
    crop: Box | None
    untouched: bool
    inkless: bool


def read_image(data: bytes | Path, filename: str) -> Grey:
    """Read the first frame of an image file, upright, as grey levels: float32 in [0, 1], (H, W).

    Raises:
        ImageError: if the file is not a readable image, or the image is too large or too small.
    """
    return decode(data, filename)[0]


def prepare(
    data: bytes | Path,
    filename: str,
    image_shape: ImageShape,
    options: PrepareOptions | None = None,
    dataset: str | DatasetInfo | None = None,
) -> Prepared:
    """Prepare an image file for a model.

    Args:
        data: the file's bytes or path.
        filename: name of the file, for messages.
        image_shape: (C, H, W) of the model; a model with several channels gets grey in each.
        options: the steps to take; None means "auto" for all.
        dataset: the data set that the model was trained on, which decides how files are prepared:
            its name, or what a run keeps of it (``run.config.info``). None means "digits" for 8×8
            pixels and "mnist" for all other sizes.

    Raises:
        ImageError: if the file is not a readable image, or the image is too large or too small.
        DataError: if a data set of that name does not exist.
    """
    options = options or PrepareOptions()
    channels, *frame = image_shape
    layout, own = _way_of(dataset or ("digits" if frame == [8, 8] else "mnist"))
    if own.way == "photo":
        return _photo(data, filename, image_shape, options, own)
    if options.invert == "auto":
        options = dataclasses.replace(options, invert=own.invert)
    grey, steps = decode(data, filename)
    work = _Preparation(grey, (frame[0], frame[1]), layout, steps)
    picture = work.run(options)
    pixels = torch.from_numpy(np.rint(picture * 255).astype(np.uint8))
    return Prepared(
        filename,
        grey,
        tuple(steps),
        pixels.expand(channels, *frame).clone(),
        work.inverted,
        work.box,
        untouched=np.array_equal(picture, grey),
        inkless=work.blank,
    )


def prepared_ink(
    content: bytes | Levels, filename: str, image_shape: ImageShape, own: Preparation
) -> Levels:
    """Prepare an image of ink for a data set of the user's own: uint8, (C, H, W).

    Args:
        content: a file, or levels of shape (H, W) or (H, W, C).

    Raises:
        ImageError: as for :func:`prepare`.
    """
    channels, height, width = image_shape
    if isinstance(content, bytes):
        grey, steps = decode(content, filename)
    else:
        grey, steps = grey_of(content), []
    work = _Preparation(grey, (height, width), INK, steps)
    pixels = np.rint(work.run(PrepareOptions(invert=own.invert)) * 255).astype(np.uint8)
    return np.broadcast_to(pixels, (channels, height, width))


def _way_of(dataset: str | DatasetInfo) -> tuple[Layout, Preparation]:
    """Find the place of the ink and the preparation of a data set; built-in ones are of ink."""
    if isinstance(dataset, DatasetInfo) and dataset.preparation is not None:
        return layout_of(dataset), dataset.preparation
    stored = stored_dataset(dataset if isinstance(dataset, str) else dataset.name)
    return stored.layout, stored.info.preparation or Preparation("ink", invert="auto")


def _photo(
    data: bytes | Path,
    filename: str,
    image_shape: ImageShape,
    options: PrepareOptions,
    own: Preparation,
) -> Prepared:
    """Prepare a photo for a model whose data set was made of whole pictures."""
    channels, height, width = image_shape
    content = read_bytes(data, short_name(filename))
    levels, steps = read_levels(content, filename, channels)
    asked = options.invert != "auto"
    invert = (options.invert if asked else own.invert) == "yes"
    why = _ASKED if asked else "as the images of the data set were"
    reason = f"{'Inverted' if invert else 'Not inverted'} {why}."
    pixels = photo_steps(levels, (height, width), own.fit, invert, reason, steps)
    return Prepared(
        filename,
        grey_of(levels),
        tuple(steps),
        torch.from_numpy(pixels.copy()),
        invert,
        None,
        untouched=not invert and levels.shape[:2] == (height, width),
        inkless=float(np.ptp(levels)) < _ONE_COLOUR * 255,
    )


class _Preparation:
    """A picture and the steps that change it, each of which is recorded.

    Attributes:
        on_light: whether the ink in the file is darker than its ground.
        dark: whether the ink in ``picture`` is darker than its ground.
        box: the part of the file's picture that was kept; None for all of it.
    """

    def __init__(
        self, picture: Grey, frame: tuple[int, int], layout: Layout, steps: list[Step]
    ) -> None:
        self.picture, self.frame, self.layout, self.steps = picture, frame, layout, steps
        self.fits = picture.shape == frame
        self.blank = float(np.ptp(picture)) < _ONE_COLOUR
        self.ground = 0.0
        self.inverted = self.cropped = False
        self.on_light = self.dark = False
        self.box: Box | None = None

    def run(self, options: PrepareOptions) -> Grey:
        """Take every step and return the picture, with the shape of the frame."""
        self.invert(options.invert)
        self.even(options.contrast)
        self.stretch(options.contrast)
        self.box = self.crop(options.crop)
        self.fit()
        self.place(options.centre)
        self.brighten(options.contrast)
        return self.picture

    def invert(self, choice: Choice) -> None:
        """Invert the picture if its ink is dark, so that the ink is light."""
        share = light_share(self._without_slow_light())
        if choice != "auto":
            done = choice == "yes"
            reason = f"{'Inverted' if done else 'Not inverted'} {_ASKED}."
        elif self.blank:
            done, reason = False, "It has one colour, so there is no ink to tell from a ground."
        elif share > 0.5:
            done = True
            reason = f"{share:.0%} of its edge is light: inverted, as the model needs light ink."
        else:
            done, reason = False, f"{1 - share:.0%} of its edge is dark, so its ink is light: kept."
        self._record("Polarity", reason, 1 - self.picture if done else self.picture, done)
        self.inverted = done
        self.on_light = share > 0.5
        self.dark = self.on_light != done

    def _without_slow_light(self) -> Grey:
        """Return the picture, without the slow change of light if it is an unevenly lit photograph.

        Light changes smoothly along the edge. Ink that runs into the edge does not change smoothly,
        and it leaves the corners alike.
        """
        if not self._is_unevenly_lit() or min(self.picture.shape) < _PHOTOGRAPH:
            return self.picture
        rest = levelled(self.picture)
        rough = unevenness(rest) > _ROUGH * unevenness(self.picture)
        return self.picture if rough and corners_agree(self.picture) else rest

    def _is_unevenly_lit(self) -> bool:
        if self.blank or self.fits or self.layout.shades:
            return False
        return unevenness(self.picture) > _UNEVEN

    def even(self, choice: Choice) -> None:
        """Even out the light of a photograph of paper that is brighter on one side."""
        spread = unevenness(self.picture)
        if choice != "no" and self._is_unevenly_lit():
            reason = f"Its edge varies by {spread:.0%} from place to place: the light was evened."
            light_ink = 1 - self.picture if self.dark else self.picture
            even = evened(light_ink, paper=self.on_light)
            self._record("Light", reason, 1 - even if self.dark else even)
            self.blank = float(np.ptp(self.picture)) < _ONE_COLOUR

    def stretch(self, choice: Choice) -> None:
        """Stretch the contrast, so that the ground is at 0 and the ink at 1."""
        ground, ink = (0.0, 1.0) if self.blank else two_levels(self.picture)
        kept = ""
        if choice == "no":
            kept = f"Kept {_ASKED}."
        elif self.blank:
            kept = "It has one colour: kept."
        elif choice == "auto" and self.fits:
            kept = "It has the model's size: kept."
        elif choice == "auto" and ink - ground < _CONTRAST:
            self.blank = True
            kept = f"Its levels differ by {ink - ground:.1%}, which is grain and not ink: kept."
        elif choice == "auto" and ground < _FAINT and ink > _STRONG:
            kept = "Its ground is dark and its ink bright: kept."
        if kept:
            self._record("Contrast", kept, self.picture, False)
            return
        margin = _MARGIN * (ink - ground)
        high = float(self.picture.max()) if self.layout.shades else ink - margin
        low = ground + margin
        reason = f"The ground, at {ground:.0%}, was made black and the ink, at {ink:.0%}, white."
        self._record("Contrast", reason, ((self.picture - low) / (high - low)).clip(0, 1))

    def crop(self, choice: Choice) -> Box | None:
        """Crop the picture to the ink; return the box, or None if the picture is kept whole."""
        self.ground = ground_level(self.picture)
        box = None if self.blank else ink_box(self.picture)
        dark = box is None and not self.blank and self._has_dark_ink()
        self.blank = box is None and not dark
        kept = ""
        if choice == "no":
            kept = f"Kept whole {_ASKED}."
        elif choice == "auto" and self.fits:
            kept = "It has the model's size: kept whole."
        elif dark:
            kept = "Its ink is darker than its ground: kept whole."
        elif box is None:
            kept = "There is no ink to crop to: kept whole."
        if kept or box is None:
            self._record("Crop", kept, self.picture, False)
            return None
        (top, left, bottom, right), (height, width) = box, self.picture.shape
        reason = f"Cut to the ink, {bottom - top}×{right - left} of {height}×{width} pixels."
        self._record("Crop", reason, self.picture[top:bottom, left:right])
        self.cropped = True
        return box

    def _has_dark_ink(self) -> bool:
        """Whether something is darker than the ground, by more than grain."""
        darker = (self.ground - self.picture).clip(0)
        return float(darker.max()) >= _CONTRAST and ink_box(darker) is not None

    def fit(self) -> None:
        """Resize the picture to its size in the frame."""
        if self.fits and not self.cropped:
            self._record("Size", "It has the model's size: kept.", self.picture, False)
            return
        layout = self.layout if self.cropped else WHOLE
        size = "×".join(map(str, self.frame))
        reason = f"Fitted into {size} pixels, {layout.reason}."
        self._record("Size", reason, fitted(self.picture, self.frame, layout))

    def place(self, choice: Choice) -> None:
        """Place the picture in the frame."""
        wanted = choice == "yes" or (choice == "auto" and self.cropped)
        layout = self.layout if self.cropped else dataclasses.replace(self.layout, blocks=1)
        ink = self.picture
        if not wanted:
            layout = dataclasses.replace(layout, centre="box")
        elif not self.cropped and not self.blank and (box := ink_box(ink)):
            ink = ink[box[0] : box[2], box[1] : box[3]]
        after = placed(ink, self.frame, self.ground, layout)
        if np.array_equal(self.picture, after):
            self._record("Centre", f"Kept{f' {_ASKED}' * (choice == 'no')}.", after, False)
            return
        what = "The centre of mass" if layout.centre == "mass" else "It"
        self._record("Centre", f"{what} was put in the middle.", after)

    def brighten(self, choice: Choice) -> None:
        """Brighten thin strokes: if thinner than a pixel of the model, they become grey."""
        peak = float(self.picture.max())
        if choice == "no" or not self.cropped or self.layout.shades or not 0 < peak < _PEAK:
            return
        reason = f"Thin strokes faded to {peak:.0%} when reduced: brightened to white."
        self._record("Brightness", reason, self.picture / peak)

    def _record(self, name: str, reason: str, picture: Grey, changed: bool = True) -> None:
        self.picture = picture
        self.steps.append(Step(name, reason, shown(picture), changed))

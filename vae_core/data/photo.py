"""Prepare photos: resize the whole picture, in grey or in colour, without aliasing."""

from typing import Literal

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from vae_core.data.decode import decode, decode_colour
from vae_core.data.picture import Grey, Levels, Step, shown

Fit = Literal["crop", "pad", "stretch"]
Frame = tuple[int, int]
"""Height and width."""


def read_levels(data: bytes, name: str, channels: int) -> tuple[Levels, list[Step]]:
    """Decode an image file to uint8 levels, (H, W) for one channel or (H, W, 3), with the steps.

    Raises:
        ImageError: as for :func:`vae_core.data.decode.decode`.
    """
    if channels == 3:
        return decode_colour(data, name)
    grey, steps = decode(data, name)
    return np.rint(grey * 255).astype(np.uint8), steps


def in_channels(picture: Levels, channels: int) -> Levels:
    """Convert levels (H, W), (H, W, 3) or (H, W, 4) to one or three channels.

    Transparent pixels are laid on white.
    """
    wanted = "RGB" if channels == 3 else "L"
    image = Image.fromarray(picture)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.asarray(image if image.mode == wanted else image.convert(wanted))


def grey_of(picture: Levels) -> Grey:
    """Convert levels with any channels to grey in [0, 1], float32 (H, W)."""
    return in_channels(picture, 1).astype(np.float32) / np.float32(255)


def fitted_photo(picture: Levels, frame: Frame, fit: Fit) -> tuple[Levels, str]:
    """Bring a picture into a frame, and say how.

    Args:
        picture: uint8, (H, W) or (H, W, 3).
        frame: height and width of the result.
        fit: ``crop`` cuts the longer side, ``pad`` fills with the mean colour of the edge, and
            ``stretch`` changes the shape.

    Returns:
        uint8, ``frame`` with the channels of ``picture``; and a phrase, empty if nothing changed.
    """
    if picture.shape[:2] == frame:
        return picture, ""
    image = Image.fromarray(picture)
    height, width = frame
    way = "resized"
    box = None
    if fit == "crop":
        box = _middle(image.size, width / height)
        way = "cropped in the middle and resized" if box else way
    elif fit == "pad":
        image = _padded(image, width / height)
        way = "padded and resized" if image.size != picture.shape[1::-1] else way
    elif image.width * height != image.height * width:
        way = "stretched"
    shrinks = width * height < image.width * image.height
    method = Resampling.LANCZOS if shrinks else Resampling.BICUBIC
    return np.asarray(image.resize((width, height), method, box=box)), way


def _middle(size: tuple[int, int], ratio: float) -> tuple[float, float, float, float] | None:
    """The largest box with this ratio of width and height, in the middle; None for all of it."""
    width, height = size
    across, down = min(width, height * ratio), min(height, width / ratio)
    if across > width - 0.5 and down > height - 0.5:
        return None
    left, top = (width - across) / 2, (height - down) / 2
    return left, top, left + across, top + down


def _padded(image: Image.Image, ratio: float) -> Image.Image:
    width = max(image.width, round(image.height * ratio))
    height = max(image.height, round(image.width / ratio))
    if (width, height) == image.size:
        return image
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    mean = np.rint(edge.mean(0)).astype(int)
    ground = tuple(mean.tolist()) if image.mode == "RGB" else int(mean)
    whole = Image.new(image.mode, (width, height), ground)
    whole.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return whole


def as_pixels(picture: Levels) -> Levels:
    """Move the channels of (H, W) or (H, W, C) to the front: (C, H, W)."""
    return picture[None] if picture.ndim == 2 else np.ascontiguousarray(picture.transpose(2, 0, 1))


def photo_steps(
    picture: Levels, frame: Frame, fit: Fit, invert: bool, reason: str, steps: list[Step]
) -> Levels:
    """Prepare a decoded photo and record the steps.

    Args:
        reason: why the picture is inverted or not.

    Returns:
        uint8, (C, H, W).
    """
    if invert:
        picture = 255 - picture
    steps.append(Step("Polarity", reason, shown(Image.fromarray(picture)), invert))
    ready, way = fitted_photo(picture, frame, fit)
    size = "×".join(map(str, frame))
    about = f"The whole picture was {way} to {size} pixels." if way else ""
    about = about or "It has the model's size: kept."
    steps.append(Step("Size", about, shown(Image.fromarray(ready)), bool(way)))
    return as_pixels(ready)

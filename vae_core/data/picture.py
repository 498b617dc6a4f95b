"""Turn an opened picture of any kind into an upright, opaque one, and record every step.

Pictures are Pillow images. Every step has a name, a reason and a small picture to show.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.Image import Resampling

from vae_core.basics.errors import UserError

Grey = NDArray[np.float32]
Levels = NDArray[np.uint8]

WORKING_SIDE = 1024
"""Larger pictures are first reduced to this many pixels on the longer side."""
SHOWN_SIDE = 256
_BAND = 1_000_000  # pixels that are reduced at once
_DEEPEST = 65_535  # the largest level of 16 bits


class ImageError(UserError, ValueError):
    """A file cannot be read as an image; the message says what to do."""


@dataclass(frozen=True)
class Step:
    """One step from a file to the model's pixels.

    Attributes:
        name: one or two words.
        reason: one sentence that says what was done, or not done, and why.
        image: the picture after the step; uint8, shape (h, w) or (h, w, 3), reduced to at most 256
            pixels on each side.
        changed: whether the step did anything.
    """

    name: str
    reason: str
    image: NDArray[np.uint8]
    changed: bool = True


def shown(picture: Image.Image | Grey) -> NDArray[np.uint8]:
    """Convert a picture to the form that :class:`Step` stores."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if image.mode not in ("L", "RGB", "RGBA", "F"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if max(image.size) > SHOWN_SIDE:
        scale = SHOWN_SIDE / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Resampling.BOX)
    if image.mode == "RGBA":
        grey = Image.new("RGBA", image.size, "grey")
        image = Image.alpha_composite(grey, image).convert("RGB")
    pixels = np.asarray(image)
    return np.rint(pixels * 255).astype(np.uint8) if image.mode == "F" else pixels


def to_grey(image: Image.Image, size: tuple[int, int], name: str) -> tuple[Grey, list[Step]]:
    """Convert an opened picture to grey levels in [0, 1], shape (H, W), and record the steps.

    Args:
        image: as loaded, perhaps already reduced.
        size: its width and height in the file.
        name: name of the file in error messages.

    Raises:
        ImageError: if its values are no levels.
    """
    opaque, depth, steps = _opaque(image, size, name)
    pixels, reason = _grey_levels(opaque)
    reason = (depth + reason).strip()
    steps.append(Step("Grey levels", reason or "They are kept.", shown(pixels), bool(reason)))
    return pixels, steps


def to_colour(image: Image.Image, size: tuple[int, int], name: str) -> tuple[Levels, list[Step]]:
    """Convert an opened picture to colours, uint8 of shape (H, W, 3), and record the steps.

    Args and errors are those of :func:`to_grey`.
    """
    opaque, depth, steps = _opaque(image, size, name)
    kept = opaque.mode == "RGB"
    reason = depth if kept else f"{depth}It became red, green and blue. "
    if opaque.mode == "F":
        levels = np.rint(np.asarray(opaque).clip(0, 1) * 255).astype(np.uint8)
        opaque = Image.fromarray(levels)
    colours = opaque.convert("RGB")
    if max(colours.size) > WORKING_SIDE:
        colours.thumbnail((WORKING_SIDE, WORKING_SIDE), Resampling.HAMMING)
        reason += f"Reduced to {colours.width}×{colours.height} pixels, enough for these models."
    reason = reason.strip()
    steps.append(Step("Colours", reason or "They are kept.", shown(colours), bool(reason)))
    return np.asarray(colours), steps


def _opaque(
    image: Image.Image, size: tuple[int, int], name: str
) -> tuple[Image.Image, str, list[Step]]:
    """Make a picture upright and opaque, with at most 8 bits or of floating-point grey.

    Returns:
        The picture, how its levels were scaled, and the steps.
    """
    frame = ", the first frame of several" if getattr(image, "is_animated", False) else ""
    about = f"{image.format}, {size[0]}×{size[1]} pixels, {_kind(image)}{frame}."
    deep, depth = _without_depth(image, name)
    steps = [Step("Opened", about, shown(deep))]
    turned = upright(deep, image)
    if turned is not deep:
        reason = "The camera recorded that it was turned; the picture was turned upright."
        steps.append(Step("Turned upright", reason, shown(turned)))
    opaque, reason = _without_alpha(turned)
    if reason:
        steps.append(Step("Transparency", reason, shown(opaque)))
    return opaque, depth, steps


def _reduced(size: tuple[int, int], band: Callable[[int, int], Image.Image]) -> Image.Image | None:
    """Reduce a picture with very many pixels to about twice the working size, band by band.

    Args:
        size: of the picture.
        band: its rows from the first number up to the second.

    Returns:
        The means of squares of pixels; None if the picture is small enough.
    """
    width, height = size
    factor = max(size) // (2 * WORKING_SIDE)
    if factor < 2:
        return None
    rows = factor * max(1, _BAND // (factor * width))
    parts = [band(top, min(height, top + rows)).reduce(factor) for top in range(0, height, rows)]
    whole = Image.new(parts[0].mode, (parts[0].width, sum(part.height for part in parts)))
    for number, part in enumerate(parts):
        whole.paste(part, (0, number * rows // factor))
    return whole


def _without_palette(image: Image.Image) -> Image.Image:
    """Convert a picture to a mode in which the mean of two pixels is a colour between them."""
    if image.mode != "LA" and image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert({"1": "L", "P": "RGB"}.get(image.mode, image.mode))


_KINDS = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey with transparency",
    "P": "palette",
    "PA": "palette with transparency",
    "RGB": "colour",
    "RGBA": "colour with transparency",
    "CMYK": "colour for print (CMYK)",
    "YCbCr": "colour",
    "F": "floating-point grey",
    "I": "32-bit grey",
}


def _kind(image: Image.Image) -> str:
    return "16-bit grey" if image.mode.startswith("I;16") else _KINDS.get(image.mode, image.mode)


def _without_depth(image: Image.Image, name: str) -> tuple[Image.Image, str]:
    """Convert grey of more than 8 bits to mode "F" in [0, 1]; explain how. Keep other images.

    Cameras use 10, 12 or 14 of 16 bits, and no header says how many. So the largest level becomes
    white, but 255 where all levels fit into 8 bits: a slightly larger level changes little.
    """
    if image.mode[0] not in "IF":
        small = _reduced(
            image.size,
            lambda top, end: _without_palette(image.crop((0, top, image.width, end))),
        )
        return small or image, ""
    values = np.asarray(image).astype(np.float32)
    if not np.isfinite(values).all():
        raise ImageError(
            f"{name} contains values that are not finite numbers (NaN or infinity); replace them "
            "and save it again."
        )
    low, high = float(values.min()), float(values.max())
    if image.mode.startswith("I") and low >= 0 and high <= _DEEPEST and high != 1:
        return _of_levels(values, 0, max(high, 255)), _scale(_kind(image), high)
    if image.mode == "F" and low >= 0 and high <= 1:
        return _of_levels(values, 0, 1), ""
    reason = f"Its values {low:g} to {high:g} became black to white. "
    return _of_levels(values, low, (high - low) or 1), reason


def _of_levels(values: Grey, low: float, spread: float) -> Image.Image:
    """A picture of (values − low) / spread, reduced if it has very many pixels."""

    def band(top: int, end: int) -> Image.Image:
        levels = (values[top:end].astype(np.float64) - low) / spread
        return Image.fromarray(levels.astype(np.float32))

    height, width = values.shape
    return _reduced((width, height), band) or band(0, height)


def _scale(kind: str, high: float) -> str:
    """Say which level of a grey image of more than 8 bits became white."""
    if high > 255:
        return f"Its {kind} levels were divided by the largest of them, {high:,.0f}. "
    return f"Its {kind} has only levels 0 to {high:.0f}, so 255 was taken for white. "


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright(picture: Image.Image, source: Image.Image) -> Image.Image:
    """Turn a picture as the metadata of its source say; keep it where they say nothing."""
    try:
        orientation = source.getexif().get(ExifTags.Base.Orientation)
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, struct.error):
        return picture  # ignore broken metadata: the pixels are fine
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return picture if turn is None else picture.transpose(turn)


def _without_alpha(image: Image.Image) -> tuple[Image.Image, str]:
    """Lay a transparent image on white, or on black if its visible part is light; explain why."""
    if image.mode == "F" or not image.has_transparency_data:
        return image, ""
    layered = image.convert("RGBA")
    least, most = layered.getchannel("A").getextrema()
    if least == 255:
        return image.convert("L" if image.mode == "LA" else "RGB"), ""
    brightness = _visible_brightness(layered)
    ground, what = ("black", "light") if brightness > 0.5 else ("white", "dark")
    whole = Image.alpha_composite(Image.new("RGBA", image.size, ground), layered).convert("RGB")
    if most == 0:
        return whole, "All of it is transparent: it was laid on white."
    reason = f"The visible part is {what} on average ({brightness:.0%}): it was laid on {ground}."
    return whole, reason


def _visible_brightness(layered: Image.Image) -> float:
    """Mean brightness in [0, 1], weighted by opacity."""
    small = layered.copy()
    small.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Resampling.BOX)
    alpha = np.asarray(small.getchannel("A"), np.float64)
    light = np.asarray(small.convert("RGB").convert("L"), np.float64) / 255
    return float((light * alpha).sum() / max(alpha.sum(), 1.0))


def _grey_levels(image: Image.Image) -> tuple[Grey, str]:
    """Convert an image to grey in [0, 1]; explain the changes."""
    done = ""
    if image.mode not in ("L", "F"):
        coloured = image.mode not in ("1", "LA")
        done = "Colours became grey by their brightness (ITU-R 601). " if coloured else ""
        image = (image.convert("RGB") if coloured else image).convert("L")
    if max(image.size) > WORKING_SIDE:
        image = image.copy()
        image.thumbnail((WORKING_SIDE, WORKING_SIDE), Resampling.HAMMING)
        done += f"Reduced to {image.width}×{image.height} pixels, enough for these models."
    pixels = np.asarray(image, np.float32)
    return (pixels / np.float32(255) if image.mode == "L" else pixels).clip(0, 1), done.strip()

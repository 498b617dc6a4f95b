"""Animations of images, saved as GIF or WebP."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import streamlit as st
from PIL import Image, ImageColor, ImageDraw, ImageFont

from app.figures import style
from app.figures.pictures import Picture, as_bytes

FORMATS = ("GIF", "WebP")
MOST_FRAMES = 120
SMALL, LARGE = 320, 720
"""Longest sides in pixels: of a single image, and of a sheet of images."""
_CAPTION = 24  # pixels of the line below the images
_FASTEST = 20  # milliseconds of a frame; browsers show no shorter ones
_QUALITY = 90  # of WebP


@dataclass(frozen=True)
class Film:
    """Pictures that follow each other.

    Attributes:
        pictures: N pictures of one shape, (H, W) or (H, W, 3) in colour, in [0, 1].
        seconds: duration of all pictures, one way.
        captions: a text below each picture, (N,), or none at all.
        back: whether the film runs back to its start before it begins again.
        side: longest side in pixels, without the captions.
    """

    pictures: Sequence[Picture] | Picture
    seconds: float
    captions: Sequence[str] = field(default=())
    back: bool = False
    side: int = SMALL


def button(film: Callable[[], Film], key: str, about: str, name: str = "animation") -> None:
    """Draw a button that opens a small menu, which saves an animation as GIF or WebP.

    Args:
        film: makes the pictures, once the file is asked for.
        about: sentence that says what the animation shows.
        name: of the file, without its ending.
    """
    with st.popover(
        "Save the animation", icon=":material/animation:", key=f"animation-{key}", help=about
    ):
        kind = st.segmented_control(
            "Format",
            FORMATS,
            default=FORMATS[0],
            required=True,
            key=f"animation-format-{key}",
            help="GIF opens everywhere, also in slides. WebP is smaller and keeps all colours.",
        )
        st.download_button(
            f"Save as {kind}",
            lambda: encode(film(), str(kind)),
            file_name=f"{name}.{str(kind).lower()}",
            mime=f"image/{str(kind).lower()}",
            on_click="ignore",
            key=f"animation-save-{key}",
            icon=":material/download:",
            help=f"{about} At most {MOST_FRAMES} frames.",
        )


def encode(film: Film, kind: str) -> bytes:
    """Write a film as an animation that never ends: ``GIF`` or ``WebP``.

    Of more than ``MOST_FRAMES`` pictures, as many are used, evenly spread, the first and the last
    among them.
    """
    chosen = np.linspace(0, len(film.pictures) - 1, min(len(film.pictures), MOST_FRAMES))
    places = list(dict.fromkeys(chosen.round().astype(int).tolist()))
    frames = [_frame(film, place) for place in places]
    duration = max(_FASTEST, round(1000 * film.seconds / len(frames)))
    if film.back:
        frames += frames[-2:0:-1]
    if kind == "WebP":
        frames = [_coloured(frame) for frame in frames]
    out = io.BytesIO()
    more = {"quality": _QUALITY, "method": 2} if kind == "WebP" else {}
    frames[0].save(
        out, kind, save_all=True, append_images=frames[1:], duration=duration, loop=0, **more
    )
    return out.getvalue()


def _frame(film: Film, place: int) -> Image.Image:
    """A picture in its size, with its caption; grey ones have a palette from dark to light ink."""
    picture = Image.fromarray(as_bytes(film.pictures[place]))
    picture = picture.resize(*_size(picture, film.side))
    if film.captions:
        picture = _captioned(picture, film.captions[place])
    if picture.mode == "L":
        picture.putpalette(style.ink_palette())
    return picture


def _size(picture: Image.Image, side: int) -> tuple[tuple[int, int], Image.Resampling]:
    """A whole multiple of the picture's size, with sharp pixels; a large picture is reduced."""
    longest = max(picture.size)
    if longest <= side:
        times = side // longest
        return (picture.width * times, picture.height * times), Image.Resampling.NEAREST
    width, height = (max(1, round(each * side / longest)) for each in picture.size)
    return (width, height), Image.Resampling.BOX


def _captioned(picture: Image.Image, text: str) -> Image.Image:
    dark, light = (0, 255) if picture.mode == "L" else map(ImageColor.getrgb, style.INK)
    whole = Image.new(picture.mode, (picture.width, picture.height + _CAPTION), dark)  # type: ignore[arg-type]
    whole.paste(picture, (0, 0))
    font = ImageFont.load_default(15)
    ImageDraw.Draw(whole).text((6, picture.height + 3), text, light, font)  # type: ignore[arg-type]
    return whole


def _coloured(frame: Image.Image) -> Image.Image:
    return frame.convert("RGB")

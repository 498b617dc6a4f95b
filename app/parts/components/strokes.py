"""A drawing: strokes of a pen as the browser sends them, drawn as a picture."""

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw

SIDE = 280  # side of the picture, in pixels
_SMOOTH = 3  # the picture is drawn this many times larger, then reduced
_MOST_NUMBERS = 100_000  # in a drawing; a busy one has a few thousand
_WIDEST = 0.5  # stroke, as a share of the side


@dataclass(frozen=True)
class Stroke:
    """A line from pen down to pen up.

    Attributes:
        width: width of the line, as a share of the picture's side.
        points: x₁, y₁, x₂, y₂, … from the top left, as shares of the side; a dot is one point.
    """

    width: float
    points: tuple[float, ...]


def brush(side: int) -> float:
    """Width of a stroke that looks like the strokes of training images of ``side`` pixels.

    Strokes of MNIST are about 2.5 pixels wide. One pixel is the smallest width that an image shows.
    """
    return max(0.085, 1 / side)


def strokes_of(sent: Any) -> list[Stroke] | None:
    """Read strokes from a browser's message; return None if it is not a valid drawing."""
    try:
        strokes = [_stroke(each["width"], each["points"]) for each in sent]
    except (TypeError, KeyError, ValueError):
        return None
    return strokes if sum(len(each.points) for each in strokes) <= _MOST_NUMBERS else None


def _stroke(width: Any, points: Any) -> Stroke:
    numbers = tuple(float(each) for each in points)
    if not numbers or len(numbers) % 2 or not all(map(math.isfinite, (width, *numbers))):
        raise ValueError("not a stroke")
    inside = tuple(min(max(each, -1.0), 2.0) for each in numbers)
    return Stroke(min(max(float(width), 0.005), _WIDEST), inside)


def picture(strokes: Iterable[Stroke]) -> bytes:
    """Draw the strokes as a grey PNG of ``SIDE`` × ``SIDE`` pixels, light ink on a dark ground."""
    large = SIDE * _SMOOTH
    image = Image.new("L", (large, large), 0)
    pen = ImageDraw.Draw(image)
    for stroke in strokes:
        _trace(pen, stroke, large)
    out = io.BytesIO()
    image.reduce(_SMOOTH).save(out, "PNG")
    return out.getvalue()


def _trace(pen: ImageDraw.ImageDraw, stroke: Stroke, side: int) -> None:
    places = _places(stroke.points, side)
    width = stroke.width * side
    pen.line(places, 255, round(width))
    for x, y in places:  # round ends and joints
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), 255)


def _places(points: Sequence[float], side: int) -> list[tuple[float, float]]:
    return [(x * side, y * side) for x, y in zip(points[::2], points[1::2], strict=True)]

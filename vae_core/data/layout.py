"""Where ink is in a picture, and putting it where a data set has it.

Pictures are float32 in [0, 1], shape (H, W), light ink on a dark ground.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from PIL.Image import Resampling

from vae_core.data.decode import Grey
from vae_core.data.stored import Layout

Box = tuple[int, int, int, int]
"""Top, left, bottom, right; the last two not included."""

_Level = TypeVar("_Level", np.float32, np.uint8)

_INK = 0.2  # of the way from ground to peak: where ink begins
_SMALL = 64  # pixels of the copy in which the ground is measured, on its longer side
_OPENING = 17  # of them: more than the width of any stroke
_SMOOTHED = 300  # one pixel of smoothing for as many of the longer side
_ROUNDS = 20  # of a robust fit
_EXACT = 0.01  # deviations below it count alike
_COVERED = 0.15  # of a cell of a fine bitmap: enough to make it ink


def light_share(picture: Grey) -> float:
    """How much of the edge, and how many of the corners, are nearer to the brightest pixel.

    The smaller of the two: a shape may run along an edge, but seldom into all corners as well.
    """
    return min(_light_shares(picture))


def corners_agree(picture: Grey) -> bool:
    """Whether all four corners are on the same side of the middle, with most of the edge."""
    edge, corners = _light_shares(picture)
    return (corners == 1 and edge > 0.5) or (corners == 0 and edge < 0.5)


def _light_shares(picture: Grey) -> tuple[float, float]:
    """How much of the edge, and how many of the corners, are nearer to the brightest pixel."""
    middle = (float(picture.min()) + float(picture.max())) / 2
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
    return float((_edge(picture) > middle).mean()), float((corners > middle).mean())


def ground_level(picture: Grey) -> float:
    """The median of the edge."""
    return float(np.median(_edge(picture)))


def unevenness(picture: Grey) -> float:
    """How far the levels of the edge lie apart, its brightest and darkest tenth left out."""
    low, high = np.percentile(_edge(_thumbnail(picture)), (10, 90))
    return float(high - low)


def levelled(picture: Grey) -> Grey:
    """A small copy without the slow change of light that its edge shows, around 0, (h, w).

    A quadratic surface through the edge: unlike :func:`evened` it need not know whether the ink is
    light or dark. It has the least absolute deviations, by reweighted least squares, so that ink
    which runs into the edge hardly bends it.
    """
    small = _thumbnail(picture)
    down, across = np.meshgrid(*(np.linspace(-1, 1, side) for side in small.shape), indexing="ij")
    terms = np.stack([np.ones(small.shape), down, across, down * across, down**2, across**2], -1)
    at_edge = np.stack([_edge(term) for term in np.moveaxis(terms, -1, 0)], -1)
    edge, weight = _edge(small).astype(np.float64), np.ones(len(at_edge))
    surface = np.zeros(at_edge.shape[1])
    for _ in range(_ROUNDS):
        surface = np.linalg.lstsq(at_edge * weight[:, None], edge * weight, rcond=None)[0]
        weight = (np.abs(edge - at_edge @ surface) + _EXACT) ** -0.5
    return (small - terms @ surface).astype(np.float32)


def evened(picture: Grey, *, paper: bool) -> Grey:
    """A picture with its ground at 0, however the light fell on it.

    The ground is the morphological opening: what is left of a small copy when everything light and
    narrower than a quarter of it is cut away. Where the picture is a negative of ink on paper, the
    paper's brightness 1 - g scales the ink's as well, so v stands for (v - g) / (1 - g).
    """
    wide = Image.fromarray(np.pad(_thumbnail(picture), _OPENING, "edge"))
    wide = wide.filter(ImageFilter.MinFilter(_OPENING)).filter(ImageFilter.MaxFilter(_OPENING))
    small = np.asarray(wide)[_OPENING:-_OPENING, _OPENING:-_OPENING]
    ground = _resized(small, *picture.shape)
    brightness = (1 - ground).clip(1 / 255) if paper else 1
    return ((picture - ground) / brightness).clip(0, 1)


def two_levels(picture: Grey) -> tuple[float, float]:
    """Ground and ink: the medians of the two classes of grey that Otsu's threshold parts.

    Otsu 1979, doi:10.1109/TSMC.1979.4310076: the threshold with the largest variance between.
    The picture must have more than one level.
    """
    counts, edges = np.histogram(picture, 256)
    below = counts.cumsum()[:-1]
    above = counts.sum() - below
    sums = (counts * (edges[:-1] + edges[1:]) / 2).cumsum()
    gap = (sums[-1] - sums[:-1]) / above - sums[:-1] / below
    threshold = edges[1 + int(np.argmax(below * above * gap**2))]
    light = picture >= threshold
    return float(np.median(picture[~light])), float(np.median(picture[light]))


def ink_box(picture: Grey) -> Box | None:
    """The smallest box around what stands out from the edge, or None if nothing does.

    In a large picture a bright pixel without bright neighbours is noise.
    """
    levels = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    blurred = levels.filter(ImageFilter.BoxBlur(max(picture.shape) // _SMOOTHED))
    ink = _stands_out(np.asarray(levels)) & _stands_out(np.asarray(blurred))
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    if not len(rows):
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _stands_out(levels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    ground, peak = np.median(_edge(levels)), levels.max()
    return levels > ground + _INK * (peak - ground)


def fitted(picture: Grey, frame: tuple[int, int], layout: Layout) -> Grey:
    """Ink brought to the size that it has in a frame, times ``layout.blocks``."""
    height, width = picture.shape
    down = layout.blocks * layout.height * frame[0] / height
    across = layout.blocks * layout.width * frame[1] / width
    down, across = min(down, layout.bend * across), min(across, layout.bend * down)
    return _resized(picture, max(1, round(down * height)), max(1, round(across * width)))


def placed(ink: Grey, frame: tuple[int, int], ground: float, layout: Layout) -> Grey:
    """Ink from :func:`fitted` in its frame, shape ``frame``."""
    fine = (frame[0] * layout.blocks, frame[1] * layout.blocks)
    corner = [(fine[axis] - ink.shape[axis]) // 2 for axis in (0, 1)]
    weight = (ink - ground).clip(0)
    if layout.centre == "mass" and weight.any():
        for axis in (0, 1):
            at = np.arange(ink.shape[axis]) @ weight.sum(1 - axis) / weight.sum()
            most = fine[axis] - ink.shape[axis]
            corner[axis] = min(max(round(fine[axis] // 2 - at), 0), most)
    whole = np.full(fine, ground, np.float32)
    top, left = corner
    whole[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return _counted(whole, layout.blocks)


def _counted(fine: Grey, blocks: int) -> Grey:
    """The share of ink in each block of a bitmap, in which a cell is ink if a part of it is.

    The part, 15 %, gives MNIST's digits about the stroke widths of the 8×8 digits.
    """
    if blocks == 1:
        return fine
    bitmap = (fine > _COVERED * fine.max()).astype(np.float32)
    height, width = fine.shape
    return bitmap.reshape(height // blocks, blocks, width // blocks, blocks).mean((1, 3))


def _resized(picture: Grey, height: int, width: int) -> Grey:
    """Without aliasing: every pixel of a smaller picture averages what it covers."""
    shrinks = height * width < picture.size
    method = Resampling.HAMMING if shrinks else Resampling.BICUBIC
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((width, height), method)).clip(0, 1)


def _thumbnail(picture: Grey) -> Grey:
    image = Image.fromarray(picture)
    image.thumbnail((_SMALL, _SMALL), Resampling.BOX)
    return np.asarray(image)


def _edge(picture: NDArray[_Level]) -> NDArray[_Level]:
    """The outermost pixels, one deep or a fiftieth of the shorter side."""
    depth = max(1, min(picture.shape) // 50)
    outer = np.ones(picture.shape, bool)
    outer[depth:-depth, depth:-depth] = False
    return picture[outer]

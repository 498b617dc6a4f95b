"""Find the ink in a picture, and place it as in the images of a data set.

Pictures are float32 in [0, 1], shape (H, W), light ink on a dark ground.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from PIL.Image import Resampling

from vae_core.data.picture import Grey
from vae_core.data.stored import Layout

Box = tuple[int, int, int, int]
"""Top, left, bottom, right; bottom and right are exclusive."""

_Level = TypeVar("_Level", np.float32, np.uint8)

_INK = 0.2  # ink begins at this share of the range from ground to peak
_SMALL = 64  # pixels on the longer side of the small copy in which the ground is measured
_OPENING = 17  # pixels of that copy: more than the width of any stroke
_SMOOTHED = 300  # one pixel of smoothing per this many pixels of the longer side
_ROUNDS = 20  # iterations of a robust fit
_EXACT = 0.01  # smaller deviations get equal weights
_COVERED = 0.15  # a cell of a fine bitmap is ink if this share of it is covered


def light_share(picture: Grey) -> float:
    """Share of the edge, or of the corners, that is nearer to the brightest pixel.

    The smaller of the two shares: a shape may run along an edge, but seldom into all corners too.
    """
    return min(_light_shares(picture))


def corners_agree(picture: Grey) -> bool:
    """Whether all four corners, and most of the edge, are on the same side of the middle grey."""
    edge, corners = _light_shares(picture)
    return (corners == 1 and edge > 0.5) or (corners == 0 and edge < 0.5)


def _light_shares(picture: Grey) -> tuple[float, float]:
    """Shares of the edge and of the corners that are nearer to the brightest pixel."""
    middle = (float(picture.min()) + float(picture.max())) / 2
    corners = picture[[0, 0, -1, -1], [0, -1, 0, -1]]
    return float((_edge(picture) > middle).mean()), float((corners > middle).mean())


def ground_level(picture: Grey) -> float:
    """Median grey level of the edge."""
    return float(np.median(_edge(picture)))


def unevenness(picture: Grey) -> float:
    """Range of the grey levels of the edge, without its brightest and darkest tenth."""
    low, high = np.percentile(_edge(_thumbnail(picture)), (10, 90))
    return float(high - low)


def levelled(picture: Grey) -> Grey:
    """Make a small copy, (h, w), around 0, without the slow change of light along the edge.

    Subtracts a quadratic surface fitted to the edge. Unlike :func:`evened`, this works for light
    and dark ink. The fit has least absolute deviations (by reweighted least squares), so ink that
    runs into the edge hardly changes the surface.
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
    """Subtract uneven light from a picture, so that its ground is at 0.

    The ground g is the morphological opening of a small copy: everything light that is narrower
    than a quarter of the copy is removed. If the picture is a negative of ink on paper, the
    brightness of the paper, 1 - g, scales the ink as well, so v becomes (v - g) / (1 - g).
    """
    wide = Image.fromarray(np.pad(_thumbnail(picture), _OPENING, "edge"))
    wide = wide.filter(ImageFilter.MinFilter(_OPENING)).filter(ImageFilter.MaxFilter(_OPENING))
    small = np.asarray(wide)[_OPENING:-_OPENING, _OPENING:-_OPENING]
    ground = _resized(small, *picture.shape)
    brightness = (1 - ground).clip(1 / 255) if paper else 1
    return ((picture - ground) / brightness).clip(0, 1)


def two_levels(picture: Grey) -> tuple[float, float]:
    """Levels of ground and ink: medians of the grey levels on both sides of Otsu's threshold.

    Otsu 1979, doi:10.1109/TSMC.1979.4310076: the threshold with the largest variance between the
    classes. The picture must have more than one level.
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
    """Find the smallest box around all pixels that stand out from the edge; None without any.

    In a large picture, a bright pixel without bright neighbours counts as noise.
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
    """Resize the ink to its size in a frame, times ``layout.blocks``."""
    height, width = picture.shape
    down = layout.blocks * layout.height * frame[0] / height
    across = layout.blocks * layout.width * frame[1] / width
    down, across = min(down, layout.bend * across), min(across, layout.bend * down)
    return _resized(picture, max(1, round(down * height)), max(1, round(across * width)))


def placed(ink: Grey, frame: tuple[int, int], ground: float, layout: Layout) -> Grey:
    """Place the ink from :func:`fitted` into its frame, shape ``frame``."""
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
    """Compute the share of ink in each block of a bitmap.

    A cell of the bitmap is ink if 15 % of it is covered. With this value, MNIST's digits get about
    the same stroke widths as the 8×8 digits.
    """
    if blocks == 1:
        return fine
    bitmap = (fine > _COVERED * fine.max()).astype(np.float32)
    height, width = fine.shape
    return bitmap.reshape(height // blocks, blocks, width // blocks, blocks).mean((1, 3))


def _resized(picture: Grey, height: int, width: int) -> Grey:
    """Resize without aliasing: each pixel of a smaller picture is an average."""
    shrinks = height * width < picture.size
    method = Resampling.HAMMING if shrinks else Resampling.BICUBIC
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((width, height), method)).clip(0, 1)


def _thumbnail(picture: Grey) -> Grey:
    image = Image.fromarray(picture)
    image.thumbnail((_SMALL, _SMALL), Resampling.BOX)
    return np.asarray(image)


def _edge(picture: NDArray[_Level]) -> NDArray[_Level]:
    """Return the outermost pixels, with a depth of a fiftieth of the shorter side, at least one."""
    depth = max(1, min(picture.shape) // 50)
    outer = np.ones(picture.shape, bool)
    outer[depth:-depth, depth:-depth] = False
    return picture[outer]

"""Animations of images: their frames, their size, their colours, and the way back."""

import io

import numpy as np
import pytest
from PIL import Image

from app.figures import style
from app.parts import animation
from app.parts.animation import FORMATS, LARGE, MOST_FRAMES, SMALL, Film, encode


def frames(content: bytes) -> list[np.ndarray]:
    """The frames of an animation, (H, W, 3) each."""
    with Image.open(io.BytesIO(content)) as opened:
        found = []
        for place in range(getattr(opened, "n_frames", 1)):
            opened.seek(place)
            found.append(np.asarray(opened.convert("RGB")).astype(int))
    return found


def fading(count: int, *colours: int) -> np.ndarray:
    """Pictures of 8 × 6 pixels from dark to light."""
    levels = np.linspace(0, 1, count, dtype=np.float32)
    return np.broadcast_to(levels.reshape(-1, 1, 1, *[1] * len(colours)), (count, 8, 6, *colours))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("colours", [(), (3,)], ids=["grey", "colour"])
def test_a_film_runs_forward_and_back(kind: str, colours: tuple[int, ...]) -> None:
    found = frames(encode(Film(fading(5, *colours), 1.0, back=True), kind))
    light = [float(each.mean()) for each in found]
    assert len(light) == 8, "five there, three back: the ends are not shown twice"
    assert light[:5] == sorted(light[:5])
    np.testing.assert_allclose(light[5:], light[3:0:-1], atol=3)
    assert found[0].shape == (8 * (SMALL // 8), 6 * (SMALL // 8), 3)
    assert Image.open(io.BytesIO(encode(Film(fading(2), 1.0), kind))).info.get("loop") == 0


def test_grey_pictures_have_the_inks_of_the_page_and_colours_are_kept() -> None:
    dark, light = (tuple(bytes.fromhex(ink[1:])) for ink in style.INK)
    first, last = frames(encode(Film(fading(2), 1.0), "GIF"))
    assert tuple(first[0, 0]) == dark
    assert tuple(last[0, 0]) == light
    red = np.zeros((2, 4, 4, 3), np.float32)
    red[0, ..., 0] = red[1, ..., 2] = 1
    one, two = frames(encode(Film(red, 1.0), "GIF"))
    assert (tuple(one[9, 9]), tuple(two[9, 9])) == ((255, 0, 0), (0, 0, 255))


@pytest.mark.parametrize("size", [(28, 28), (400, 3000), (1000, 10)])
def test_the_size_is_limited_and_the_shape_is_kept(size: tuple[int, int]) -> None:
    pictures = np.random.default_rng(0).random((2, *size), dtype=np.float32)
    (shown, _) = frames(encode(Film(pictures, 1.0, side=LARGE), "GIF"))
    assert max(shown.shape) <= LARGE
    assert max(shown.shape) > LARGE / 2
    if size == (28, 28):
        assert shown.shape[:2] == (700, 700), "a whole multiple, so that pixels are sharp"


def test_a_long_film_is_thinned_and_keeps_its_ends() -> None:
    found = frames(encode(Film(fading(10 * MOST_FRAMES), 1.0, side=32), "GIF"))
    assert len(found) <= MOST_FRAMES
    assert found[0].mean() < 25
    assert found[-1].mean() > 240


def test_a_caption_is_written_below_the_picture() -> None:
    plain, captioned = (
        frames(encode(Film(fading(2), 1.0, captions), "GIF")) for captions in ((), ("one", "two"))
    )
    assert captioned[0].shape[0] == plain[0].shape[0] + animation._CAPTION
    np.testing.assert_array_equal(captioned[0][: plain[0].shape[0]], plain[0])
    below = [each[plain[0].shape[0] :] for each in captioned]
    assert below[0].max() > 200
    assert (below[0] != below[1]).any()


def test_one_picture_is_an_animation_too() -> None:
    for kind in FORMATS:
        assert len(frames(encode(Film(fading(1), 1.0, back=True), kind))) == 1

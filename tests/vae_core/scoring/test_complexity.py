"""The length of a lossless code, and the score corrected by it."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from tests.vae_core.patches import INFO, Patches
from vae_core.scoring.figures import complexity
from vae_core.scoring.figures.complexity import code_length, complexity_corrected
from vae_core.scoring.foreign import foreign_images

SIDE = 28
COPY = SIDE * 4 * 8 + 3
"""Bits of 28 rows of four bytes, and of the number that says which code it is."""


def bits(image: torch.Tensor) -> float:
    return code_length(image[None, None].float()).item()


def test_plain_images_are_short_and_noise_is_as_long_as_itself(generator):
    noise = torch.rand(SIDE, SIDE, generator=generator).round()
    stripes = (torch.arange(SIDE) % 2).expand(SIDE, SIDE)
    square = torch.zeros(SIDE, SIDE)
    square[8:20, 8:20] = 1
    lengths = [bits(image) for image in (torch.zeros(SIDE, SIDE), stripes, square, noise)]
    assert lengths == sorted(lengths)
    assert lengths[0] < 100
    assert lengths[2] < 250
    assert SIDE * SIDE <= lengths[3] <= COPY, "784 fair coins have no shorter code"


def test_no_code_is_longer_than_a_copy(digits):
    images = digits.split("test")[0][:50]
    for kind in ("noise", "permuted", "constant"):
        grey = foreign_images(kind, images).float() / 255
        assert (code_length(grey) <= 64 * 8 + 3).all()
        assert (code_length(grey.round()) <= 8 * 8 + 3).all()


def test_a_code_is_of_the_image_alone_and_always_the_same(test_digits):
    together = code_length(test_digits[:20])
    assert torch.equal(together, torch.cat([code_length(x[None]) for x in test_digits[:20]]))
    assert together.shape == (20,)
    assert together.dtype == torch.float64


def test_codes_tell_images_apart(test_digits):
    """As many as 2^L images have a code of L bits: a counting bound no lossless code can beat."""
    images = test_digits.unique(dim=0)
    assert code_length(images).exp2().max() >= len(images)


def test_grey_levels_cost_more_than_two(generator):
    grey = torch.rand(1, 1, SIDE, SIDE, generator=generator).mul(255).round() / 255
    assert code_length(grey).item() > 6 * SIDE * SIDE
    assert code_length(grey.round()).item() < 2 * SIDE * SIDE


def test_the_correction_is_bits_less_bits():
    log_px, code = torch.tensor([-math.log(2.0) * 100]), torch.tensor([30.0])
    assert complexity_corrected(log_px, code).item() == pytest.approx(70)


def test_a_code_on_one_side_of_a_picture_is_that_on_its_other(test_digits):
    """Channels are coded one below the other."""
    x = test_digits[:4]
    doubled = code_length(x.expand(-1, 2, -1, -1))
    assert (doubled >= code_length(x)).all()
    assert (doubled <= 2 * code_length(x)).all()


def colour_images() -> torch.Tensor:
    return torch.from_numpy(Patches(INFO).load()[0][:20])


def test_the_coders_of_colour_pictures_lose_nothing():
    for image in colour_images().numpy():
        picture = complexity._colour_picture(image.reshape(18, 8))
        for settings in ({"format": "PNG"}, {"format": "WEBP", "lossless": True}):
            file = io.BytesIO()
            picture.save(file, **settings)
            with Image.open(file) as read:
                assert np.array_equal(np.asarray(read.convert("RGB")).transpose(2, 0, 1), image)


def test_the_code_of_a_colour_picture_is_shorter_than_its_file_and_than_a_copy(monkeypatch):
    x = colour_images().float() / 255
    length = code_length(x)
    assert (length <= x[0].numel() * 8 + 3).all()
    monkeypatch.setattr(complexity, "_COLOUR", complexity._GREY)
    assert (length <= code_length(x)).all()
    for coder, name in ((complexity._png, "PNG"), (complexity._webp, "WEBP")):
        planes = colour_images()[0].flatten(0, 1).numpy()
        file = io.BytesIO()
        complexity._colour_picture(planes).save(file, name, lossless=True)
        assert 0 < coder(planes) < len(file.getvalue())


def test_a_smooth_photograph_has_a_shorter_code_than_its_planes_have():
    rows, columns = torch.meshgrid(
        torch.linspace(0, 5, 32), torch.linspace(0, 3, 32), indexing="ij"
    )
    smooth = (rows.sin() + columns.cos()) / 5 + 0.5
    noise = 0.02 * torch.randn(32, 32, generator=torch.Generator().manual_seed(0))
    x = torch.stack([smooth + noise, smooth + noise + 0.1, 0.9 * smooth + noise])[None].clamp(0, 1)
    levels = (x * 255).round().to(torch.uint8)[0].flatten(0, 1).numpy()
    planes = 8 * min(coder(levels) for coder in complexity._GREY)
    assert code_length(x).item() < 0.75 * planes

"""The length of a lossless code, and the score corrected by it."""

import math

import pytest
import torch

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

"""What a false-alarm rate needs, and what it really is for one calibration."""

import math

import numpy as np
import pytest

from vae_core.basics.errors import InvalidArgument
from vae_core.scoring.false_alarms import check_rate, fewest_images, rate_between, smallest_rate
from vae_core.wording.verdict import rate_sentence


@pytest.mark.parametrize(
    ("rate", "images"), [(0.04, 24), (0.1, 9), (0.05, 19), (0.2, 4), (0.001, 999)]
)
def test_a_rate_needs_so_many_held_out_images(rate, images):
    assert fewest_images(rate) == images
    assert smallest_rate(images) == pytest.approx(rate)
    assert rate_between(rate, images) is not None
    assert rate_between(rate, images - 1) is None
    check_rate(rate, images)
    with pytest.raises(InvalidArgument, match=rf"needs {images:,} held-out images"):
        check_rate(rate, images - 1)


@pytest.mark.parametrize(("images", "low", "high"), [(100, 0.011, 0.085), (500, 0.025, 0.059)])
def test_the_bounds_are_the_known_ones(images, low, high):
    assert rate_between(0.04, images) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.parametrize(("rate", "images"), [(0.04, 100), (0.1, 57), (0.01, 500)])
def test_the_rate_of_a_calibration_is_between_the_bounds_in_95_of_100_calibrations(rate, images):
    """A score with so few lower held-out ones that (1 + lower) / (N + 1) ≤ α is called unlike."""
    bounds = rate_between(rate, images)
    assert bounds is not None
    most_lower = math.floor(rate * (images + 1) + 1e-9) - 1
    scores = np.random.RandomState(0).rand(20_000, images)  # uniform: a limit is its own rate
    rates = np.sort(scores, 1)[:, most_lower]
    inside = (bounds[0] <= rates) & (rates <= bounds[1])
    assert inside.mean() == pytest.approx(0.95, abs=0.006)


def test_the_rate_is_put_in_words():
    assert rate_sentence(0.04, 500) == (
        "Of 100 images like the training data, 4 are called unlike it on average; with these 500 "
        "held-out images it is between 2.5 % and 5.9 % (95 % sure)."
    )
    assert rate_sentence(0.01, 50).startswith("50 held-out images are too few for 1 % false alarms")
    assert rate_sentence(0.01, 50).endswith("Choose 2 % or more.")

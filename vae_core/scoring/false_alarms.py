"""The false-alarm rate of a verdict: what rate a calibration supports, and what it really is.

An image is called unlike the training data if its p-value is at most α. Averaged over calibrations,
that happens to at most the share α of the images of the data. For one calibration with N held-out
images, which are themselves a sample, the share is a draw from Beta(l, N + 1 − l) with
l = ⌊α (N + 1)⌋ (Vovk 2012, "Conditional validity of inductive conformal predictors").
"""

import math

from vae_core.basics.errors import InvalidArgument

_ROUNDING = 1e-9  # so that 0.04 · 25 is 1


def fewest_images(false_alarms: float) -> int:
    """Return how many held-out images a false-alarm rate needs: N with α (N + 1) ≥ 1."""
    return math.ceil(1 / false_alarms - _ROUNDING) - 1


def rate_between(false_alarms: float, images: int) -> tuple[float, float] | None:
    """Return the bounds that the real rate of a calibration lies between with probability 95 %.

    Args:
        false_alarms: α.
        images: N, the number of held-out images.

    Returns:
        The bounds; None if the images are too few for this rate. Then no image is called unlike.
    """
    if images < fewest_images(false_alarms):
        return None
    from scipy.special import betaincinv  # the quantile of Beta(a, b); takes a while to import

    below = math.floor(false_alarms * (images + 1) + _ROUNDING)
    low, high = betaincinv(below, images + 1 - below, [0.025, 0.975])
    return float(low), float(high)


def check_rate(false_alarms: float, images: int) -> None:
    """Check that the held-out images are enough for a false-alarm rate.

    Raises:
        InvalidArgument: otherwise; the message says how many it takes.
    """
    fewest = fewest_images(false_alarms)
    if images < fewest:
        raise InvalidArgument(
            f"A false-alarm rate of {false_alarms:.3g} needs {fewest:,} held-out images, and this "
            f"calibration has {images:,}. Choose {smallest_rate(images):.3g} or more."
        )


def smallest_rate(images: int) -> float:
    """Return the smallest false-alarm rate that N held-out images support, rounded up."""
    digits = 10**4
    return math.ceil(digits / (images + 1) - _ROUNDING) / digits

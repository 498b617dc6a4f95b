"""Which of several measured values lead, as far as their errors can tell."""

import math
from collections.abc import Sequence


def clearly(difference: float, *errors: float) -> bool:
    """Whether a difference is more than twice the error that these errors give it together."""
    return difference > 2 * math.hypot(*errors)


def leaders(values: Sequence[tuple[float, float]]) -> list[int]:
    """The places of the highest value and of all that cannot be told from it, highest first.

    Args:
        values: each with its standard error.
    """
    order = sorted(range(len(values)), key=lambda i: -values[i][0])
    top, error = values[order[0]]
    return [i for i in order if not clearly(top - values[i][0], error, values[i][1])]

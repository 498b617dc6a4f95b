"""Find the highest of several measured values, within their errors."""

import math
from collections.abc import Sequence


def clearly(difference: float, *errors: float) -> bool:
    """Whether a difference is more than twice the combined standard error."""
    return difference > 2 * math.hypot(*errors)


def leaders(values: Sequence[tuple[float, float]]) -> list[int]:
    """Return the indices of the highest value and of all values that do not clearly differ from it.

    The highest value comes first.

    Args:
        values: pairs of a value and its standard error.
    """
    order = sorted(range(len(values)), key=lambda i: -values[i][0])
    top, error = values[order[0]]
    return [i for i in order if not clearly(top - values[i][0], error, values[i][1])]

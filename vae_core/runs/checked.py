"""Check figures that are read from the files of a run: their types, lengths and nesting.

The command line and the pages format these figures, so a text in the place of a number must not
reach them.
"""

import math
from collections.abc import Mapping
from typing import Any

from vae_core.basics.text import printable
from vae_core.settings.protocol import DRAWN_FROM

COUNTS = frozenset({
    "active_units", "epoch", "images", "importance_samples", "samples", "seed", "step",
})  # fmt: skip
"""Names of whole numbers."""
NUMBERS = frozenset({
    "bits_per_dim", "class_accuracy", "elbo", "elbo_joint_form", "elbo_se", "ess",
    "expected_log_likelihood", "kl", "kl_se", "kl_weight", "learning_rate", "log_det_sum", "log_px",
    "log_px_se", "log_px_z", "log_px_z_se", "log_pz", "log_q0", "log_qz", "seconds",
    "share_pareto_k_above_0_7",
})  # fmt: skip
"""Names of other numbers. A number that is not known is written as null, and read as NaN."""
LISTS = frozenset({"kl_by_dimension", "mean_variance_by_dimension"})
"""Names of lists of numbers, one for each latent dimension."""
TEXTS = frozenset({"binarisation", "dataset", "split"})
_MOST_NAMES = 200
_MOST_NUMBERS = 5000
_LONGEST = 200
_LARGEST = 10**15


def checked_figures(found: Any, depth: int = 2) -> dict[str, Any]:
    """Check a table of figures, and make its texts fit for one line.

    Args:
        depth: how many tables may be inside each other.

    Raises:
        ValueError: if it is no such table.
    """
    if not isinstance(found, Mapping) or depth < 0 or len(found) > _MOST_NAMES:
        raise ValueError("it is no table of figures")
    return {printable(name, 80): _checked(name, value, depth) for name, value in found.items()}


def _checked(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        fits = name not in COUNTS | NUMBERS | LISTS | TEXTS
        value = checked_figures(value, depth - 1) if fits else value
    elif name in COUNTS:
        fits = _is_number(value) and isinstance(value, int) and 0 <= value <= _LARGEST
    elif name in NUMBERS:
        value = math.nan if value is None else value
        fits = _is_number(value)
    elif name in LISTS or isinstance(value, list):
        fits = isinstance(value, list) and len(value) <= _MOST_NUMBERS
        fits = fits and all(map(_is_number, value))
    elif name == "proposal":
        fits = isinstance(value, str) and value in DRAWN_FROM
    elif isinstance(value, str):
        fits, value = len(value) <= _LONGEST, printable(value)
    else:
        fits = name not in TEXTS and (value is None or isinstance(value, bool) or _is_number(value))
    if not fits:
        raise ValueError(f"{printable(name, 40)} has a value that it cannot have")
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= 10**300  # larger ones do not fit into a float
    return isinstance(value, float)

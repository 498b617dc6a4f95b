"""A sentence for a run that may be a mistake, because it would take so long or so much memory."""

from vae_core.wording.numbers import duration

LONGEST = 86_400.0
"""Seconds above which the user is asked before a run starts."""
SHARE_OF_MEMORY = 0.5
"""Share of the memory of the device above which the user is asked."""


def large_run_sentence(
    seconds: float, needed: float, available: float, what: str = "run"
) -> str | None:
    """State that a run would take over a day, or over half of the memory; None if it would not.

    Args:
        seconds: of the whole run, as estimated.
        needed: bytes of memory that training would take, as estimated.
        available: bytes of memory of the device.
        what: what is started, such as ``sweep``.
    """
    reasons = []
    if seconds > LONGEST:
        reasons.append(f"about {duration(seconds)} on this computer")
    if needed > SHARE_OF_MEMORY * available:
        reasons.append(f"about {needed / 1e9:,.1f} GB of the {available / 1e9:,.1f} GB of memory")
    return f"This {what} would take {' and '.join(reasons)}." if reasons else None

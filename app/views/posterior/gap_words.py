"""What the gap taken apart says, in sentences that claim no more than was measured."""

import math
from collections.abc import Sequence

from app.figures.posterior_values import GapBar
from vae_core.settings.choices import POSTERIORS
from vae_core.wording.lists import listed_in_bold
from vae_core.wording.numbers import number
from vae_core.wording.ties import clearly, leaders


def about_gap(bars: Sequence[GapBar], exact: bool, error: float = 0.0) -> str:
    """What is seen, in a few sentences.

    Args:
        exact: whether log p(x) is known, or estimated from below.
        error: of log p(x), in nats, which all bars share.
    """
    if not bars:
        return ""
    parts = (_nearest(bars, exact, error), _encoder(bars), _nested(bars, error), _found(exact))
    return " ".join(filter(None, parts))


def _nearest(bars: Sequence[GapBar], exact: bool, error: float) -> str:
    lead = leaders([(-bar.approximation, _own_error(bar, error)) for bar in bars])
    best = bars[lead[0]]
    left = ("at most " if exact else "") + number(best.approximation, best.approximation_se)
    names = listed_in_bold([bars[i].name for i in lead])
    if len(bars) == 1:
        does = f"still leaves {left}"
    elif len(lead) == 1:
        does = f"comes nearest: {left} remain"
    else:
        does = f"come nearest, too close to tell apart: {left} remain"
    return f"Fitted to this image alone, {names} {does}, which no encoder could save."


def _encoder(bars: Sequence[GapBar]) -> str:
    lead = leaders([(bar.amortisation, bar.amortisation_se) for bar in bars])
    worst = bars[lead[0]]
    if not clearly(worst.amortisation, worst.amortisation_se):
        return ""
    lost = number(worst.amortisation, worst.amortisation_se)
    if len(bars) == 1:
        how = ""
    else:
        families = listed_in_bold(bars[i].name for i in lead)
        how = f"most for {families}: {'up to ' * (len(lead) > 1)}"
    return f"The encoder costs {how}{lost} that a better one would win back."


def _nested(bars: Sequence[GapBar], error: float) -> str:
    """Why a smaller family may come out ahead of one that contains it."""
    found = {bar.name: bar for bar in bars}
    small, large = found.get(POSTERIORS["mean-field"].short), found.get(POSTERIORS["full"].short)
    if small is None or large is None:
        return ""
    ahead = large.approximation - small.approximation
    if not clearly(ahead, _own_error(small, error), _own_error(large, error)):
        return ""
    return (
        f"{large.name} contains {small.name.lower()}, so its best q is no worse: that its refit "
        "stands lower is a local optimum, in which the gradient steps ended."
    )


def _own_error(bar: GapBar, shared: float) -> float:
    """The error of ELBO[q*]: that of log p(x) moves all bars alike, and decides no order."""
    return math.sqrt(max(0.0, bar.approximation_se**2 - shared**2))


def _found(exact: bool) -> str:
    text = (
        "q* is the best q that gradient steps have found: a better one would move some of the "
        "approximation part to amortisation."
    )
    if exact:
        return text
    return (
        f"{text} As log p(x) is itself estimated from below here, the whole gap is at least what "
        "is shown, but for the errors."
    )

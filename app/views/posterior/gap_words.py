"""Sentences about the parts of the gap. They claim no more than was measured."""

import math
from collections.abc import Sequence

from app.figures.posterior_values import GapBar
from vae_core.settings.choices import POSTERIORS
from vae_core.wording.lists import listed_in_bold
from vae_core.wording.numbers import estimate, number
from vae_core.wording.ties import clearly, leaders


def about_gap(bars: Sequence[GapBar], exact: bool, error: float = 0.0) -> str:
    """Describe the chart of the gap in a few sentences.

    Args:
        exact: True if log p(x) is exact, False if it is estimated from below.
        error: error of log p(x) in nats, which all bars share; NaN if it is not known.
    """
    if not bars:
        return ""
    shared = 0.0 if math.isnan(error) else error
    parts = (_nearest(bars, exact, error), _encoder(bars), _nested(bars, shared), _found(exact))
    return " ".join(filter(None, parts))


def _nearest(bars: Sequence[GapBar], exact: bool, error: float) -> str:
    unknown = math.isnan(error)
    shared = 0.0 if unknown else error
    lead = leaders([(-bar.approximation, _own_error(bar, shared)) for bar in bars])
    best = bars[lead[0]]
    se = math.nan if unknown else best.approximation_se
    left = ("at most " if exact else "") + estimate(best.approximation, se)
    names = listed_in_bold([bars[i].name for i in lead])
    if len(bars) == 1:
        does = f"still leaves {left}"
    elif len(lead) == 1:
        does = f"comes nearest: {left} remain"
    else:
        does = f"come nearest, with no clear difference: {left} remain"
    return f"Fitted to this image alone, {names} {does}, which no encoder could avoid."


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
    return f"The encoder loses {how}{lost}, which a better encoder could regain."


def _nested(bars: Sequence[GapBar], error: float) -> str:
    """Explain why a smaller family can have a better result than one that contains it."""
    found = {bar.name: bar for bar in bars}
    small, large = found.get(POSTERIORS["mean-field"].short), found.get(POSTERIORS["full"].short)
    if small is None or large is None:
        return ""
    ahead = large.approximation - small.approximation
    if not clearly(ahead, _own_error(small, error), _own_error(large, error)):
        return ""
    return (
        f"{large.name} contains {small.name.lower()}, so its best q cannot be worse. Its fit is "
        "lower here because the gradient steps ended in a local optimum."
    )


def _own_error(bar: GapBar, shared: float) -> float:
    """Error of ELBO[q*] alone. The error of log p(x) moves all bars together, not their order."""
    return math.sqrt(max(0.0, bar.approximation_se**2 - shared**2))


def _found(exact: bool) -> str:
    text = (
        "q* is the best q that gradient steps have found. A better q would move some of the "
        "approximation part to the amortisation part."
    )
    if exact:
        return text
    return (
        f"{text} Here log p(x) is estimated from below, so the true gap is at least as large as "
        "shown, apart from the errors."
    )

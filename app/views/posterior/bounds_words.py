"""Sentences about the bounds and estimates of log p(x). They claim no more than was measured."""

import math
from collections.abc import Sequence

from app.figures.posterior_values import Mark
from app.views.posterior import notes
from app.views.posterior.families import Member
from vae_core.inference.weights import Weights
from vae_core.wording.lists import listed_in_bold
from vae_core.wording.numbers import number
from vae_core.wording.ties import clearly, leaders


def about_bounds(
    weighed: Sequence[tuple[Member, Weights]], log_px: float | None, bounds: Sequence[Mark]
) -> str:
    """Describe the chart in a few sentences.

    Args:
        weighed: importance weights of each family.
        log_px: exact log p(x) in nats, if known.
        bounds: bounds from annealing: none, the lower one, or both.
    """
    parts = []
    if weighed:
        parts += [about_elbos([(m.name, *w.elbo) for m, w in weighed], log_px), _doubts(weighed)]
    if len(bounds) == 2:
        parts.append(about_sandwich(*bounds))
    elif bounds:
        parts.append("AIS gives a lower bound in expectation, and does not use q(z|x).")
    return " ".join(filter(None, parts))


def about_elbos(elbos: Sequence[tuple[str, float, float]], log_px: float | None) -> str:
    """Say which family has the highest ELBO, as far as the errors allow.

    Args:
        elbos: families with their ELBO and its standard error, in nats.
        log_px: exact log p(x) in nats, if known.
    """
    lead = leaders([(value, error) for _, value, error in elbos])
    name, value, error = elbos[lead[0]]
    below = "" if log_px is None else f"{number(log_px - value, error)} below log p(x)"
    if len(elbos) == 1:
        return f"The ELBO of **{name}** is {below or number(value, error)}."
    if len(lead) == 1:
        return f"**{name}** has the highest ELBO{', ' * bool(below)}{below}."
    names = listed_in_bold([elbos[i][0] for i in lead])
    best = f"; the best is {below}" if below else ""
    return f"{names} have the highest ELBOs, with no clear difference{best}."


def _doubts(weighed: Sequence[tuple[Member, Weights]]) -> str:
    names = [
        m.name
        for m, w in weighed
        if notes.verdict(len(w.log_w), w.ess, w.pareto_k) == "do not trust"
    ]
    if not names:
        return ""
    return (
        f"Do not trust the importance sampling of {', '.join(names)}: a few draws carry, or may "
        "carry, most of the weight (see Weights), so its error is not known."
    )


def about_sandwich(lower: Mark, upper: Mark) -> str:
    """Say how far apart the two bounds of annealing are, or that they cross."""
    width = upper.value - lower.value
    if clearly(-width, lower.error, upper.error):
        return (
            f"The two bounds of annealing cross by {number(-width)}, more than their errors "
            "explain. The errors are too small because a few chains carry the weight. Use more "
            "temperatures before you trust either bound."
        )
    if math.isnan(lower.error + upper.error):
        return (
            f"The two bounds of annealing are {number(width)} apart, but their errors are not "
            "known, because a single chain carries most of the weight. Use more temperatures."
        )
    if width <= 0:
        return (
            "The two bounds of annealing cross, but only within their errors. "
            "More temperatures make the errors smaller."
        )
    return f"The two bounds on log p(x) from annealing are {number(width)} apart."

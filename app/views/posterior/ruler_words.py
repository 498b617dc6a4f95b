"""What the ruler of log p(x) says, in sentences that claim no more than was measured."""

from collections.abc import Sequence

from app.figures.posterior_values import Mark
from app.views.posterior import notes
from app.views.posterior.families import Member
from app.views.posterior.shapes import Weights
from vae_core.wording.lists import listed_in_bold
from vae_core.wording.numbers import number
from vae_core.wording.ties import clearly, leaders


def about_ruler(
    weighed: Sequence[tuple[Member, Weights]], log_px: float | None, bounds: Sequence[Mark]
) -> str:
    """What is seen, in a few sentences.

    Args:
        weighed: the importance weights of each family.
        log_px: log p(x) where it is known, in nats.
        bounds: of annealing: none, the lower one, or both.
    """
    parts = []
    if weighed:
        parts += [about_elbos([(m.name, *w.elbo) for m, w in weighed], log_px), _doubts(weighed)]
    if len(bounds) == 2:
        parts.append(about_sandwich(*bounds))
    elif bounds:
        parts.append("AIS is a lower bound in expectation, made without q(z|x).")
    return " ".join(filter(None, parts))


def about_elbos(elbos: Sequence[tuple[str, float, float]], log_px: float | None) -> str:
    """Whose ELBO is the highest, as far as the errors tell.

    Args:
        elbos: families with their ELBO and its standard error, in nats.
        log_px: log p(x) where it is known.
    """
    lead = leaders([(value, error) for _, value, error in elbos])
    name, value, error = elbos[lead[0]]
    below = "" if log_px is None else f"{number(log_px - value, error)} below log p(x)"
    if len(elbos) == 1:
        return f"The ELBO of **{name}** is {below or number(value, error)}."
    if len(lead) == 1:
        return f"The highest ELBO is that of **{name}**{', ' * bool(below)}{below}."
    names = listed_in_bold([elbos[i][0] for i in lead])
    best = f"; the best is {below}" if below else ""
    return f"The highest ELBOs, those of {names}, are too close to tell apart{best}."


def _doubts(weighed: Sequence[tuple[Member, Weights]]) -> str:
    names = [m.name for m, w in weighed if notes.verdict(w.ess, w.pareto_k) == "do not trust"]
    if not names:
        return ""
    return (
        f"Do not trust the importance sampling of {', '.join(names)}: a few draws hold most of the "
        "weight, or may (see Weights), so that its error is too small."
    )


def about_sandwich(lower: Mark, upper: Mark) -> str:
    """What annealing both ways leaves between its bounds, or that they cross."""
    width = upper.value - lower.value
    if clearly(-width, lower.error, upper.error):
        return (
            f"The two bounds of annealing cross by {number(-width)}, more than their errors "
            "explain: these are too small, as a few of the chains carry the weight. More "
            "temperatures are needed before either bound can be trusted."
        )
    if width <= 0:
        return (
            "The two bounds of annealing cross, by no more than chance does within their errors: "
            "more temperatures make these smaller."
        )
    return f"Annealing both ways leaves {number(width)} between its two bounds on log p(x)."

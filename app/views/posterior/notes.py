"""Protocols of the Posterior lab, and texts that say whether a number can be trusted."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from app.parts import widgets
from app.views.posterior.subject import SEED, Subject
from vae_core.inference.methods import NOT_REACHED
from vae_core.inference.pareto import largest_trusted_k, trustworthy
from vae_core.settings.protocol import Protocol
from vae_core.wording.numbers import typeset

_LIGHT = 0.5  # below this k̂ the weights have a finite variance
MIXED = 1.05
_FINE = 0.001
_DIAGNOSTICS = {
    "steps": "{:.0f} steps",
    "converged": "converged",
    "step size": "step size {:.3f}",
    "acceptance": "acceptance {:.0%}",
    "R̂": "R̂ {:.3f}",
    NOT_REACHED: "not exact: the quadrature did not reach its tolerance",
    "KL to a Gaussian": "KL to a Gaussian {:.2f} nats",
    "accuracy of T": "discriminator right {:.0%}",
}

Verdict = Literal["trust", "good enough", "do not trust", "too few draws"]


def protocol(
    subject: Subject,
    *,
    K: int | None = None,  # noqa: N803
    L: int | None = None,  # noqa: N803
    note: str = "",
) -> None:
    """Draw the line under a figure that says how it was measured."""
    config = subject.choice.run.config
    pixels = config.pixels if subject.z is None else "z from p(z), pixels from p(x|z)"
    protocol = Protocol(config.dataset, subject.origin, samples=L, importance_samples=K, seed=SEED)
    widgets.protocol(protocol, note, pixels=pixels)


def about_weights(name: str, samples: int, ess: float, pareto_k: float, largest: float) -> str:
    """Say in a sentence or two whether the importance weights of a family give a good log p̂(x).

    Args:
        samples: K.
        ess: effective sample size.
        pareto_k: shape of the tail of the weights.
        largest: share of the largest weight in the sum, 0 to 1.
    """
    k = f"k̂ = {typeset(pareto_k, '.2f')}" if math.isfinite(pareto_k) else "no k̂"
    first = (
        f"**{name}**: {samples:,} draws are worth {ess:,.0f} draws of the true posterior (ESS); "
        f"the largest weight is {largest:.2%} of the sum; {k}: "
    )
    return (
        first
        + {
            "too few draws": "too few draws to judge the tail.",
            "trust": "a light tail, so log p̂(x) and its error can be trusted.",
            "good enough": "a heavier tail, but still good enough. More draws help only slowly.",
            "do not trust": _HEAVY if pareto_k > largest_trusted_k(samples) else _FEW,
        }[verdict(samples, ess, pareto_k)]
    )


_HEAVY = (
    "the tail is too heavy. Somewhere q falls off faster than the true posterior, and a rare draw "
    "from there may outweigh all others. Do not trust log p̂(x) or its error."
)
_FEW = (
    "a few draws carry almost all the weight. They lie where the true posterior is large but q is "
    "small. Whatever k̂ is, do not trust log p̂(x) or its error."
)


def verdict(samples: int, ess: float, pareto_k: float) -> Verdict:
    """Verdict on log p̂(x) from K draws, by the effective sample size and the weights' tail."""
    if math.isnan(pareto_k):
        return "too few draws"
    if not trustworthy(pareto_k, ess, samples):
        return "do not trust"
    return "trust" if pareto_k <= _LIGHT else "good enough"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], colours: Sequence[str]) -> str:
    """HTML table of numbers. The first column is the name of the row, marked with its colour."""
    dots = [f"<i style='background:{colour}'></i>" if colour else "" for colour in colours]
    lines = "".join(
        f"<tr><td>{dot}{row[0]}</td>{''.join(f'<td>{cell}</td>' for cell in row[1:])}</tr>"
        for dot, row in zip(dots, rows, strict=True)
    )
    titles = "".join(f"<th>{title}</th>" for title in head)
    return (
        "<div class='posterior-figures-wide'><table class='posterior-figures'>"
        f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def diagnostics(found: Mapping[str, float]) -> str:
    """Diagnostics of a method in one line."""
    return " · ".join(
        _DIAGNOSTICS.get(name, name + " {:.3g}").format(value)
        for name, value in found.items()
        if not (name == "converged" and not value) and math.isfinite(value)
    )


def mixed(found: Mapping[str, float]) -> bool:
    """Whether the chains have mixed, by R̂. True if the method has no R̂."""
    return not found.get("R̂", 1.0) > MIXED


def at_most(error: float) -> str:
    """Upper bound of an error in nats, rounded up to one digit."""
    if error < _FINE:
        return f"below {_FINE} nats"
    digits = -math.floor(math.log10(error))
    return f"at most {math.ceil(error * 10**digits - 1e-9) / 10**digits:.{max(0, digits)}f} nats"

"""Sentences for an image on which a family has a lower ELBO than a family that it contains."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.figures.posterior_values import GapBar
from app.views.posterior.families import Member
from vae_core.wording.numbers import number
from vae_core.wording.ties import clearly

Pair = tuple[str, str]
"""Names of a family and of one that it contains."""


class Loss(NamedTuple):
    """How much lower an ELBO is than that of a contained family, with its error, in nats."""

    pair: Pair
    nats: float
    error: float


def nested(members: Sequence[Member]) -> list[Pair]:
    """Find the families that contain another one, among those shown."""
    return [(a.name, b.name) for a in members for b in members if a.contains(b)]


def about_elbos(elbos: Sequence[tuple[str, float, float]], pairs: Sequence[Pair]) -> str:
    """Say which richer family loses, and why that can only be its encoder.

    The best q of a family is at least as near as any q of a family that it contains. So the
    encoder of the richer one loses at least the difference of the two ELBOs.

    Args:
        elbos: families with their ELBO and its standard error, in nats.
    """
    found = {name: (value, error) for name, value, error in elbos}
    losses = [
        Loss(pair, found[pair[1]][0] - found[pair[0]][0], _joint(found[name][1] for name in pair))
        for pair in pairs
        if found.keys() >= {*pair}
    ]
    lost = _largest(losses)
    if lost is None:
        return ""
    rich, simple = lost.pair
    return (
        f"**{rich}** contains **{simple}**, but its ELBO is {number(lost.nats, lost.error)} lower "
        "on this image. The best q of the richer family cannot be worse, so it is the encoder that "
        "loses at least that much (amortisation). The tab Gap measures it."
    )


def about_gaps(bars: Sequence[GapBar], pairs: Sequence[Pair]) -> str:
    """Say which richer family loses, by the two parts of its gap."""
    found = {bar.name: bar for bar in bars}
    losses = [
        Loss(pair, _gap(found[pair[0]]) - _gap(found[pair[1]]), _error(found, pair))
        for pair in pairs
        if found.keys() >= {*pair}
    ]
    lost = _largest(losses)
    if lost is None:
        return ""
    rich, simple = (found[name] for name in lost.pair)
    nearer = simple.approximation - rich.approximation
    more = rich.amortisation - simple.amortisation
    apart = _joint((simple.approximation_se, rich.approximation_se))
    amortised = _joint((simple.amortisation_se, rich.amortisation_se))
    side, link = ("nearer to", "but") if nearer >= 0 else ("farther from", "and")
    extra = "more" if more >= 0 else "less"
    return (
        f"**{rich.name}** contains **{simple.name}**, but loses {number(lost.nats, lost.error)} "
        f"against it on this image. Its best q is {number(abs(nearer), apart)} {side} the true "
        f"posterior, {link} its encoder loses {number(abs(more), amortised)} {extra}."
    )


def _largest(losses: Sequence[Loss]) -> Loss | None:
    """The largest loss that is more than chance, if there is one."""
    clear = [each for each in losses if clearly(each.nats, each.error)]
    return max(clear, key=lambda each: each.nats, default=None)


def _gap(bar: GapBar) -> float:
    return bar.approximation + bar.amortisation


def _error(bars: dict[str, GapBar], pair: Pair) -> float:
    """Error of the difference of two gaps, at most; that of log p(x), which they share, counts."""
    parts = (bars[name] for name in pair)
    return _joint(e for bar in parts for e in (bar.approximation_se, bar.amortisation_se))


def _joint(errors: Iterable[float]) -> float:
    return math.sqrt(sum(error**2 for error in errors))

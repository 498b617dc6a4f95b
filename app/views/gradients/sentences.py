"""Sentences about a measurement. They claim no more than the standard errors allow."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from app.figures.gradients import pooled_mean, subscript
from app.services.gradient_table import APART, Point, Ratio, Table, at, ratio
from vae_core.settings.choices import GradientName
from vae_core.wording.lists import listed
from vae_core.wording.numbers import number

ENOUGH = 16  # estimates per point before a sentence mentions the point
_MEANSAPART = 3.0  # the same for means; larger because several are compared
_FEW = 3  # at most this many equally good L are named
_SILENT = 1e-18  # share of the largest variance below which only rounding is left
_NAMES = {
    "pathwise": "the pathwise gradient",
    "sticking-the-landing": "sticking the landing",
    "dreg": "DReG",
    "score-function": "the score function",
    "score-function-baseline": "the score function with leave-one-out",
}


def enough(table: Table) -> bool:
    """Whether at least one point has enough estimates for a sentence."""
    return any(_ready(row) for row in table.values())


def name(point: Point) -> str:
    """Name of the estimator in a sentence."""
    return _NAMES[point.gradient]


def headline(table: Table, samples: int) -> str:
    """Compare the estimators at one L: the noisiest first, then the others."""
    points = sorted(_ready(at(table, samples)), key=lambda point: -point.variance)
    if len(points) < 2:
        return ""
    loudest, quietest = points[0], points[-1]
    if quietest.variance <= _SILENT * loudest.variance:
        return (
            f"At L = {samples:,} {name(quietest)} has no noise at all: q(z|x) is the true "
            "posterior, so every draw gives the same gradient."
        )
    standard = next((p for p in points if p.gradient == "pathwise"), quietest)
    if standard is loudest:
        standard = quietest
    return " ".join([_extreme(loudest, standard), *_others(points, loudest, standard)])


def _extreme(loudest: Point, standard: Point) -> str:
    compared = ratio(loudest, standard)
    start = f"At L = {loudest.samples:,}, {name(loudest)}"
    if compared.tied:
        return f"{start} and {name(standard)} are equally noisy within the measurement errors."
    said = (
        f"{start} has {compared} times the variance of {name(standard)}, so its "
        f"signal-to-noise is {compared.root} times lower"
    )
    if loudest.gradient == "score-function-baseline":
        return (
            f"{said}."  # with few samples its baseline is poor, so its variance does not follow 1/L
        )
    return f"{said}: for the same noise, {name(loudest)} needs {compared} times the samples."


def _others(points: Sequence[Point], loudest: Point, standard: Point) -> list[str]:
    others = [p for p in points if p is not loudest and p is not standard]
    compared = [(p, ratio(p, standard)) for p in others]
    apart = [f"{name(p)} has {r} times" for p, r in compared if not r.tied]
    tied = [name(p) for p, r in compared if r.tied]
    said = []
    if apart:
        said.append(f"{_capital(listed(apart))} the variance of {name(standard)}.")
    if tied:
        estimates = min(p.repeats for p in points)
        said.append(
            f"{_capital(listed(tied))} cannot be distinguished from {name(standard)} with "
            f"{estimates:,} estimates."
        )
    return said


def of_samples(table: Table) -> str:
    """Say what more samples gain and what they cost, for one estimator."""
    gradient = "pathwise" if "pathwise" in table else next(iter(table), None)
    row = _ready(table[gradient]) if gradient else []
    if len(row) < 2 or row[-1].variance <= 0 or row[0].seconds <= 0:
        return ""
    first, last = row[0], row[-1]
    fall = ratio(first, last)
    times = last.samples // first.samples
    law = Ratio(fall.value / times, fall.error / times)
    verdict = "as" if law.tied else "while"
    said = (
        f"From L = {first.samples:,} to {last.samples:,} the variance of {name(first)} falls by a "
        f"factor of {fall}, {verdict} averaging predicts {times:,}. A gradient takes "
        f"{_how_long(first, last)}."
    )
    return f"{said} {_best_buy(row)}"


def _how_long(first: Point, last: Point) -> str:
    slower = last.seconds / first.seconds
    error = slower * math.hypot(
        first.seconds_error / first.seconds, last.seconds_error / last.seconds
    )
    if slower < max(1.05, 1 + APART * error):
        return "no longer"
    return f"{slower:,.{1 if slower < 10 else 0}f} times as long"


def _best_buy(row: Sequence[Point]) -> str:
    """Say which L leaves the least variance for a given computing time."""
    best = min(row, key=lambda point: point.effort)
    good = [
        point.samples
        for point in row
        if not point.effort - best.effort
        > APART * math.hypot(point.effort_error, best.effort_error)
    ]
    if len(good) > _FEW:
        return "The best L for a given computing time cannot be determined from this measurement."
    verb, doubt = (
        ("leaves", "") if len(good) == 1 else ("leave", "; the errors do not separate them")
    )
    names = listed([f"{samples:,}" for samples in good])
    return f"For a given computing time, L = {names} {verb} the least variance{doubt}."


def of_means(table: Table, samples: int, dimension: int) -> str:
    """Say whether the estimators agree on one coordinate of the gradient; ``dimension`` from 1."""
    draws: dict[GradientName, np.ndarray] = {
        p.gradient: p.coordinates[:, dimension - 1]
        for p in _ready(at(table, samples))
        if p.coordinates[:, dimension - 1].std() > 0
    }
    if len(draws) < 2:
        return ""
    middle = pooled_mean(list(draws.values()))
    away = {
        gradient: abs(each.mean() - middle) / (each.std(ddof=1) / len(each) ** 0.5)
        for gradient, each in draws.items()
    }
    error = sum(len(each) / each.var(ddof=1) for each in draws.values()) ** -0.5
    known = number(middle, float(error))
    coordinate = f"At L = {samples:,}, the derivative by the mean of z{subscript(dimension)}"
    far = [_NAMES[gradient] for gradient, z in away.items() if z > _MEANSAPART]
    if far:
        return (
            f"{coordinate} is {known} for all estimators together, but the mean of {listed(far)} "
            "is more than three standard errors away from it. In theory all have the same mean: "
            "measure again with more estimates."
        )
    return f"{coordinate} is {known}: all means agree within their errors{_scatter(draws)}."


def _scatter(draws: Mapping[GradientName, np.ndarray]) -> str:
    spreads = {gradient: float(each.std(ddof=1)) for gradient, each in draws.items()}
    widest, narrowest = max(spreads, key=spreads.__getitem__), min(spreads, key=spreads.__getitem__)
    wider = spreads[widest] / spreads[narrowest]
    if wider < 2:
        return ""
    return f"; {_NAMES[widest]} varies {wider:,.0f} times as much as {_NAMES[narrowest]}"


def _ready(points: Sequence[Point]) -> list[Point]:
    return [p for p in points if p.repeats >= ENOUGH and math.isfinite(p.variance)]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

"""Describe a detection report in words: where raw likelihood fails, and what the verdict finds."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from vae_core.basics.text import printable
from vae_core.scoring.figures.table import FIGURES
from vae_core.wording.lists import listed

if TYPE_CHECKING:
    from vae_core.scoring.detection import DetectionReport

_OTHERS = {name: figure for name, figure in FIGURES.items() if name != "log_px"}
SCORE_NAMES = {
    "log_px": "raw log p(x)",
    "typicality": "two-sided log p(x)",
    **{name: figure.heading for name, figure in _OTHERS.items()},
    "combined": "all together",
}
_IN_A_SENTENCE = {
    "typicality": "the two-sided tail of log p(x)",
    **{name: f"the {figure.title}" for name, figure in _OTHERS.items()},
    "combined": "the p-value over all figures",
}
_KIND_NAMES = {
    "noise": "uniform noise",
    "black": "black pages",
    "white": "white pages",
    "constant": "plain grey",
    "stripes": "stripes",
    "inverted": "inverted images",
    "rotated": "rotated images",
    "permuted": "shuffled pixels",
    "scribbles": "scribbles",
    "shirts": "shirts",
    "digits": "enlarged digits",
    "blurred": "blurred images",
}
_CLEAR = 2  # standard errors
_FOUND = 0.9  # share of a kind from which it counts as found


def kind_name(kind: str) -> str:
    """Name of a kind of foreign images; a source of the user's own is named by its path or name."""
    return _KIND_NAMES.get(kind) or printable(kind)


def findings(report: "DetectionReport") -> list[str]:
    """Summarise a report in two or more sentences, derived from its figures.

    They say where raw likelihood fails, which score corrects it, and what the verdict finds.
    """
    return [*_on_raw(report), _on_verdict(report)]


def misled(report: "DetectionReport") -> list[str]:
    """List the kinds that raw log p(x) ranks above own images (AUROC clearly below 0.5)."""
    return [kind for kind in report.kinds if _from_chance(report, kind, "log_px") < -_CLEAR]


def _from_chance(report: "DetectionReport", kind: str, score: str) -> float:
    """Difference between an AUROC and 0.5, in standard errors."""
    above = report.kinds[kind].scores[score].auroc - 0.5
    se = report.auroc_se(kind, score)
    return above / se if se else above * float("inf")


def _on_raw(report: "DetectionReport") -> list[str]:
    wrong = misled(report)
    blind = [k for k in report.kinds if abs(_from_chance(report, k, "log_px")) <= _CLEAR]
    if not wrong and not blind:
        return [_weakest(report)]
    sentences = []
    if wrong:
        sentences.append(
            f"Raw log p(x) fails on {_with_auroc(report, wrong)}: it ranks them above the model's "
            "own test images."
        )
    if blind:
        kinds = _with_auroc(report, blind)
        sentences.append(
            f"Raw log p(x) separates {kinds} from own test images no better than chance."
        )
    return [*sentences, _correction(report, wrong + blind)]


def _correction(report: "DetectionReport", failed: Sequence[str]) -> str:
    """Name the score that detects the kinds raw log p(x) misses, and is weakest nowhere else."""
    correcting = [
        score
        for score in _IN_A_SENTENCE
        if all(_from_chance(report, kind, score) > _CLEAR for kind in failed)
    ]
    if not correcting:
        return "No other score here corrects this."
    score = max(correcting, key=lambda each: _least(report, each, report.kinds))
    there, least = (_least(report, score, kinds) for kinds in (failed, report.kinds))
    everywhere = f", and {least:.3f} or more against every kind" if least < there else ""
    return (
        f"{_capitalised(_IN_A_SENTENCE[score])} corrects this: AUROC {there:.3f} there{everywhere}."
    )


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _weakest(report: "DetectionReport") -> str:
    kind = min(report.kinds, key=lambda each: report.kinds[each].scores["log_px"].auroc)
    score = max(_IN_A_SENTENCE, key=lambda each: _least(report, each, [kind]))
    there, raw = (_least(report, each, [kind]) for each in (score, "log_px"))
    better = f", where {_IN_A_SENTENCE[score]} reaches {there:.3f}" if there > raw else ""
    return (
        "Raw log p(x) ranks no kind above the model's own test images here. It is weakest against "
        f"{_with_auroc(report, [kind])}{better}."
    )


def _least(report: "DetectionReport", score: str, kinds: Iterable[str]) -> float:
    """Lowest AUROC of a score over kinds."""
    return min(report.kinds[kind].scores[score].auroc for kind in kinds)


def _with_auroc(report: "DetectionReport", kinds: Iterable[str]) -> str:
    return listed(
        f"{kind_name(kind)} (AUROC {report.kinds[kind].scores['log_px'].auroc:.3f})"
        for kind in kinds
    )


def _on_verdict(report: "DetectionReport") -> str:
    found = {kind: each.called_unlike for kind, each in report.kinds.items()}
    missed = sorted((k for k in found if found[k] < _FOUND), key=found.__getitem__)
    head = (
        f"The verdict calls {report.false_alarms:.1%} of {report.own_images:,} own test images "
        f"unlike the training data by mistake (it aims at {report.level:.0%}), and finds"
    )
    if not missed:
        return f"{head} {min(found.values()):.0%} or more of every foreign kind."
    told = listed(f"{kind_name(kind)} ({found[kind]:.0%})" for kind in missed)
    if len(missed) == len(found):
        return f"{head} of foreign images {told}."
    return f"{head} {_FOUND:.0%} or more of every foreign kind but {told}."

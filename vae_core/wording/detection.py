"""A detection report in words: where raw likelihood fails, and what the verdict finds."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from vae_core.data.decode import printable
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
}
_CLEAR = 2  # standard errors
_FOUND = 0.9  # of a kind, to be said to be found


def kind_name(kind: str) -> str:
    """What a kind of foreign images is called; a folder of one's own by its path."""
    return _KIND_NAMES.get(kind) or printable(kind)


def findings(report: "DetectionReport") -> list[str]:
    """Where raw likelihood fails and what mends it, and what the verdict finds: two sentences or
    more, all of them derived from the figures."""
    return [*_on_raw(report), _on_verdict(report)]


def misled(report: "DetectionReport") -> list[str]:
    """The kinds that raw log p(x) ranks above own images, with an AUROC clearly below 0.5."""
    return [kind for kind in report.kinds if _from_chance(report, kind, "log_px") < -_CLEAR]


def _from_chance(report: "DetectionReport", kind: str, score: str) -> float:
    """How far an AUROC is above 0.5, in standard errors."""
    above = report.kinds[kind].scores[score].auroc - 0.5
    se = report.auroc_se(kind, score)
    return above / se if se else above * float("inf")


def _on_raw(report: "DetectionReport") -> list[str]:
    wrong = misled(report)
    blind = [k for k in report.kinds if abs(_from_chance(report, k, "log_px")) <= _CLEAR]
    if not wrong and not blind:
        return [_weakest(report)]
    said = []
    if wrong:
        said.append(
            f"Raw log p(x) fails on {_with_auroc(report, wrong)}: it ranks them above the model's "
            "own test images."
        )
    if blind:
        told = _with_auroc(report, blind)
        said.append(f"Raw log p(x) tells {told} from own test images no better than a coin.")
    return [*said, _mended(report, wrong + blind)]


def _mended(report: "DetectionReport", failed: Sequence[str]) -> str:
    """Which score tells apart what raw log p(x) does not, and fails least on other kinds."""
    mending = [
        score
        for score in _IN_A_SENTENCE
        if all(_from_chance(report, kind, score) > _CLEAR for kind in failed)
    ]
    if not mending:
        return "No other score here mends that."
    score = max(mending, key=lambda each: _least(report, each, report.kinds))
    there, least = (_least(report, score, kinds) for kinds in (failed, report.kinds))
    everywhere = f", and {least:.3f} or more against every kind" if least < there else ""
    return f"What mends that is {_IN_A_SENTENCE[score]}: AUROC {there:.3f} there{everywhere}."


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
    """The lowest AUROC of a score over kinds."""
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
        f"unlike the training data by mistake, where it is made for {report.level:.0%}, and finds"
    )
    if not missed:
        return f"{head} {min(found.values()):.0%} or more of every foreign kind."
    told = listed(f"{kind_name(kind)} ({found[kind]:.0%})" for kind in missed)
    if len(missed) == len(found):
        return f"{head} of foreign images {told}."
    return f"{head} {_FOUND:.0%} or more of every foreign kind but {told}."

"""Describe the verdict on an image in words."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from vae_core.basics.text import printable
from vae_core.scoring.false_alarms import rate_between, smallest_rate
from vae_core.scoring.figures.table import FIGURES
from vae_core.settings.data_sets import DatasetInfo

if TYPE_CHECKING:
    from vae_core.scoring.calibration import Calibration
    from vae_core.scoring.report import Report
    from vae_core.scoring.typicality import Judgement, Verdict


_SHORT: dict["Verdict", str] = {
    "typical": "typical",
    "unusual": "unusual",
    "unlike the training data": "unlike",
}
_PLAIN: dict["Verdict", str] = {
    "typical": "Looks like the training data",
    "unusual": "Unusual for the training data",
    "unlike the training data": "Does not look like the training data",
}


def short_verdict(verdict: "Verdict") -> str:
    """Name a verdict in one word."""
    return _SHORT[verdict]


def plain_sentence(judgement: "Judgement") -> str:
    """Say in one sentence without terms whether an image looks like the training data.

    The real images are the held-out images, which the model has not seen.
    """
    return f"{_PLAIN[judgement.verdict]}: {_stranger(judgement)}."


def _stranger(judgement: "Judgement") -> str:
    """Say how many real images are at least as unusual."""
    if judgement.as_unusual == 0:
        return f"none of {judgement.images:,} real images looks stranger"
    of_100 = round(100 * judgement.as_unusual / judgement.images)
    if of_100 == 0:
        return "fewer than 1 in 100 real images look stranger"
    only = "only " if judgement.verdict != "typical" else ""
    return f"{only}about {of_100} in 100 real images look{'s' * (of_100 == 1)} stranger"


def count_sentence(counts: Mapping["Verdict", int]) -> str:
    """Count images by verdict: ``"12 typical · 1 unusual · 2 unlike"``."""
    return " · ".join(f"{counts.get(verdict, 0):,} {short}" for verdict, short in _SHORT.items())


def unknown_kind(info: DatasetInfo, alike: int, images: int) -> str:
    """Say of a batch that is mostly unlike the training data what the model knows instead.

    Args:
        alike: number of images that are not called unlike the training data, of ``images``.
    """
    known = info.subject or f"images like those of {printable(info.title)}"
    verb = "looks" if alike == 1 else "look"
    count = f"only {alike:,} of these {images:,} {verb}" if alike else "none of these look"
    return f"This model knows {known} only; {count} like that."


def class_condition(info: DatasetInfo) -> str:
    """Say when the class of an image means something: ``"if it is a digit"``."""
    return f"if it is {info.instance or 'like the training data'}"


def report_sentence(report: "Report") -> str:
    """Say the verdict of a report and which figure decided; empty without a verdict.

    log p̂(x) has the K of the score, so that it is the same number as everywhere in the report.
    """
    judgement = report.judgement
    if judgement is None:
        return ""
    values = {**judgement.values, "log_px": report.score.log_px}
    return judgement_sentence(replace(judgement, values=values))


def judgement_sentence(judgement: "Judgement") -> str:
    """Say the verdict and the figure that decided it (for a typical image, the least usual one)."""
    name = judgement.decided_by
    below = judgement.percentiles[name]
    side, share = ("higher", below) if below >= 50 else ("lower", 100 - below)
    typical = judgement.verdict == "typical"
    head = "no figure stands out. The least usual is" if typical else "what stands out most is"
    return (
        f"{judgement.verdict.capitalize()}: {head} its {FIGURES[name].title} of "
        f"{value_with_unit(name, judgement.values[name])}, {side} than that of "
        f"{share_of(share, judgement.images)} held-out images "
        f"(p = {judgement.p_value:.2g} over all figures)."
    )


def rate_sentence(false_alarms: float, images: int) -> str:
    """Say what a false-alarm rate means with N held-out images, and between which bounds it is."""
    rate, between = _percent(false_alarms), rate_between(false_alarms, images)
    if between is None:
        return (
            f"{images:,} held-out images are too few for {rate} false alarms: no image is called "
            f"unlike the training data. Choose {_percent(smallest_rate(images))} or more."
        )
    low, high = map(_percent, between)
    return (
        f"Of 100 images like the training data, {false_alarms * 100:.3g} are called unlike it on "
        f"average; with these {images:,} held-out images it is between {low} and {high} "
        "(95 % sure)."
    )


def tail_sentence(calibration: "Calibration") -> str:
    """Say what the tails of a calibration with strata are about; empty without strata."""
    if calibration.strata is None:
        return ""
    return (
        "For the tail, an image is compared with what is usual for training images of the same "
        "class, as some classes are harder than others. "
    )


def epoch_sentence(calibration: "Calibration") -> str:
    """Say that the held-out images are not quite new to the model, where that is so."""
    if calibration.protocol.get("chose_no_epoch", False):
        return ""
    return (
        " These images also chose the epoch that was kept, so they may look a little more usual "
        "than new images."
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def share_of(share: float, images: int) -> str:
    """Describe a percentage of images in words.

    Values above 99 are written "more than 99", so that "all" is used only for exactly 100.
    """
    if share == 100:
        return f"all {images}"
    return f"{'more than 99' if share > 99 else format(share, '.0f')}% of {images}"


def value_with_unit(figure: str, value: float) -> str:
    """Write the value of a figure with its unit, to a tenth; small ones to two digits.

    log p(x) has two decimals, as in tables.
    """
    digits = f"{value:,.1f}" if abs(value) >= 1 or value == 0 else f"{value:.2g}"
    digits = f"{value:,.2f}" if figure == "log_px" else digits
    return f"{digits} {FIGURES[figure].unit}".replace("-", "−")

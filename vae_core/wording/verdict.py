"""Describe the verdict on an image in words."""

from typing import TYPE_CHECKING

from vae_core.scoring.false_alarms import rate_between, smallest_rate
from vae_core.scoring.figures.table import FIGURES

if TYPE_CHECKING:
    from vae_core.scoring.report import Report
    from vae_core.scoring.typicality import Judgement


def report_sentence(report: "Report") -> str:
    """Say the verdict of a report and which figure decided; empty without a verdict."""
    return "" if report.judgement is None else judgement_sentence(report.judgement)


def judgement_sentence(judgement: "Judgement") -> str:
    """Say the verdict and the figure that decided it (for a typical image, the least usual one)."""
    name = judgement.decided_by
    below = judgement.percentiles[name]
    side, share = ("higher", below) if below >= 50 else ("lower", 100 - below)
    typical = judgement.verdict == "typical"
    head = "nothing stands out; least usual is" if typical else "what stands out most is"
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
    """Write the value of a figure with its unit, to a tenth; small ones to two digits."""
    digits = f"{value:.1f}" if abs(value) >= 1 or value == 0 else f"{value:.2g}"
    return f"{digits} {FIGURES[figure].unit}".replace("-", "−")

"""Describe in words how well a model tells good and bad images apart, and its operating point."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from vae_core.basics.text import printable
from vae_core.scoring.false_alarms import rate_between, smallest_rate
from vae_core.scoring.operating_point import FEWEST_TO_HALVE, Chosen, OperatingPoint
from vae_core.scoring.roc import Area, Gain, Rate
from vae_core.wording.numbers import typeset

if TYPE_CHECKING:
    from vae_core.scoring.groups import Group

_CHANCE = 0.5
_IMAGES_IN_USE = 1000


def percent(share: float) -> str:
    """A share with three digits: ``2.44 %``."""
    return f"{100 * share:.3g} %"


def rate_with_interval(rate: Rate) -> str:
    """A counted rate: ``27 of 30 (90 %, 74.4 to 96.5 %)``."""
    low, high = rate.between
    between = f"{100 * low:.3g} to {percent(high)}"
    return f"{rate.count:,} of {rate.images:,} ({percent(rate.value)}, {between})"


def area_with_interval(area: Area) -> str:
    """An area under an ROC curve: ``0.913 (0.870 to 0.943)``."""
    low, high = area.between
    return f"{area.value:.3f} ({low:.3f} to {high:.3f})"


def chosen_sentences(chosen: Chosen, held_out: int) -> list[str]:
    """Say which false-alarm rate was chosen and how, and what it finds and calls by mistake.

    Args:
        held_out: number of held-out images of the calibration.
    """
    alpha = percent(chosen.false_alarms)
    counted = (
        f"{rate_with_interval(chosen.detected)} of the bad images are found, and "
        f"{rate_with_interval(chosen.alarms)} of the good images are called unlike the training "
        "data by mistake"
    )
    head = {
        "halves": f"A false-alarm rate of {alpha} costs least on one half of the images, drawn at "
        f"random. On the other half, {counted}.",
        "folds": f"A false-alarm rate of {alpha} costs least on these images. A group has fewer "
        f"than {FEWEST_TO_HALVE} images, too few for two halves, so the images were divided into "
        f"small parts, and each part was judged at the rate that all others choose: {counted}. "
        "These intervals are approximate.",
        "given": f"At a false-alarm rate of {alpha}, {counted}. The rate was given, not chosen "
        "with these images.",
    }[chosen.way]
    return [head, *_in_use(chosen), _really(chosen.false_alarms, held_out)]


def _in_use(chosen: Chosen) -> list[str]:
    bad = chosen.costs.share_bad * _IMAGES_IN_USE
    found = bad * chosen.detected.value
    called = (_IMAGES_IN_USE - bad) * chosen.alarms.value
    sentences = [
        f"Of {_IMAGES_IN_USE:,} images with {_about(bad)} bad ones among them, that is about "
        f"{_about(found)} found, {_about(bad - found)} missed, and {_about(called)} good ones "
        "called by mistake."
    ]
    if chosen.calls_for_nothing:
        sentences.append(
            "At these costs and this share of bad images, it is cheaper to call no image unlike "
            "the training data. More good images make the choice of the rate better."
        )
    return sentences


def _about(images: float) -> str:
    return f"{images:.0f}" if images >= 10 or images == round(images) else f"{images:.1f}"


def _really(false_alarms: float, held_out: int) -> str:
    """Say between which bounds the rate is for images that are like the held-out ones."""
    between = rate_between(false_alarms, held_out)
    if between is None:
        return f"{held_out:,} held-out images support {percent(smallest_rate(held_out))} or more."
    low, high = between
    return (
        f"With {held_out:,} held-out images, a rate of {percent(false_alarms)} is really between "
        f"{100 * low:.2g} and {100 * high:.2g} % for images like them (95 % sure)."
    )


def area_sentences(raw: Area, deciding: Area, gain: Gain) -> list[str]:
    """Say how well plain log p̂(x) separates the groups, and by how much the verdict does better.

    Args:
        raw, deciding: areas under the ROC curves of log p̂(x) and of the verdict's p-value.
        gain: the difference between both.
    """
    low, high = raw.between
    if high < _CHANCE:
        judged = ", so it fails here: it ranks bad images above good ones"
    elif low <= _CHANCE:
        judged = ", no better than chance (0.5)"
    else:
        judged = ""
    return [
        f"Plain log p̂(x) has an area under the ROC curve of {area_with_interval(raw)}{judged}.",
        f"The p-value over all figures, from which verdicts come, has "
        f"{area_with_interval(deciding)}: {_difference(gain)}.",
        *_if_it_fails(deciding),
    ]


def _difference(gain: Gain) -> str:
    if gain.value == gain.se == 0:
        return "no difference"
    low, high = gain.between
    bounds = f"{typeset(low, '+.3f')} to {typeset(high, '+.3f')}"
    if low <= 0 <= high:
        return f"no clear difference ({typeset(gain.value, '+.3f')}, {bounds})"
    more = "more" if gain.value > 0 else "less"
    return f"{abs(gain.value):.3f} {more} ({bounds})"


def _if_it_fails(deciding: Area) -> list[str]:
    low, high = deciding.between
    if high < _CHANCE:
        return ["The verdict misleads here: it finds good images less usual than bad ones."]
    if low <= _CHANCE:
        return ["The verdict cannot tell these groups apart: no false-alarm rate changes that."]
    return []


def group_notes(groups: "Mapping[str, Group]") -> list[str]:
    """Say for each group what was left out: copies, and the number of files without an image."""
    notes = []
    for name, group in groups.items():
        if group.copies:
            copies = "1 copy" if group.copies == 1 else f"{group.copies:,} copies"
            notes.append(f"Of the {name} images, {copies} of others were left out.")
        if group.failed:
            files = "1 file" if len(group.failed) == 1 else f"{len(group.failed):,} files"
            notes.append(f"Of the {name} images, {files} could not be used.")
    return notes


def point_sentence(point: OperatingPoint) -> str:
    """Say what an operating point is, when and by whom it was saved, and what it found."""
    when = datetime.fromisoformat(point.made).strftime("%Y-%m-%d %H:%M UTC%z").removesuffix("+0000")
    by = f" by {printable(point.by, 80)}" if point.by else ""
    return (
        f"The operating point is a false-alarm rate of {percent(point.false_alarms)}, saved on "
        f"{when}{by}, with {point.good.images:,} good and {point.bad.images:,} bad images. "
        f"{rate_with_interval(point.bad.called)} of the bad images were found, and "
        f"{rate_with_interval(point.good.called)} of the good ones were called by mistake."
    )

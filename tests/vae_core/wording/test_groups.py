"""Detection rates, ROC and the operating point in words."""

import pytest

from vae_core.scoring.operating_point import Chosen, Costs, KnownImages, OperatingPoint, Way
from vae_core.scoring.roc import Area, Gain, Rate
from vae_core.wording.groups import (
    area_sentences,
    area_with_interval,
    chosen_sentences,
    percent,
    point_sentence,
    rate_with_interval,
)

COSTS = Costs(10, 1, 0.05)


def chosen(way: Way = "halves", costs: Costs = COSTS, alarms: int = 1) -> Chosen:
    return Chosen(0.02, Rate(alarms, 60), Rate(45, 50), way, costs)


def test_a_share_has_three_digits():
    assert [percent(each) for each in (0.0244, 1.0, 0.0, 0.999)] == [
        "2.44 %", "100 %", "0 %", "99.9 %",
    ]  # fmt: skip


def test_a_counted_rate_has_its_interval():
    assert rate_with_interval(Rate(27, 30)) == "27 of 30 (90 %, 74.4 to 96.5 %)"
    assert area_with_interval(Area(1.0, 10, 10)) == "1.000 (0.800 to 1.000)"


def test_a_choice_says_which_images_its_rates_are_of():
    head, in_use, really = chosen_sentences(chosen(), 500)
    assert head == (
        "A false-alarm rate of 2 % costs least on one half of the images, drawn at random. On the "
        "other half, 45 of 50 (90 %, 78.6 to 95.7 %) of the bad images are found, and 1 of 60 "
        "(1.67 %, 0.295 to 8.86 %) of the good images are called unlike the training data by "
        "mistake."
    )
    assert in_use == (
        "Of 1,000 images with 50 bad ones among them, that is about 45 found, 5 missed, and 16 "
        "good ones called by mistake."
    )
    assert really.endswith("is really between 0.96 and 3.4 % for images like them (95 % sure).")
    assert (
        "each part was judged at the rate that all others choose"
        in (chosen_sentences(chosen("folds"), 500)[0])
    )
    assert "The rate was given, not chosen" in chosen_sentences(chosen("given"), 500)[0]


def test_it_is_said_where_calling_no_image_would_be_cheaper():
    dear = chosen(costs=Costs(1, 1, 0.001), alarms=5)
    assert "cheaper to call no image" in " ".join(chosen_sentences(dear, 500))
    assert "cheaper" not in " ".join(chosen_sentences(chosen(), 500))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (0.2, "so it fails here: it ranks bad images above good ones."),
        (0.5, "no better than chance (0.5)."),
        (0.9, "(0.831 to 0.941)."),
    ],
)
def test_it_is_said_where_plain_log_px_fails(raw, said):
    first, *_ = area_sentences(Area(raw, 80, 60), Area(0.95, 80, 60), Gain(0.1, 0.01))
    assert first.endswith(said)


def test_it_is_said_by_how_much_the_verdict_does_better():
    areas = Area(0.2, 80, 60), Area(0.95, 80, 60)
    assert "0.750 more (+0.691 to +0.809)." in area_sentences(*areas, Gain(0.75, 0.03))[1]
    assert "0.100 less (−0.120 to −0.080)." in area_sentences(*areas, Gain(-0.1, 0.01))[1]
    assert "no difference." in area_sentences(*areas, Gain(0, 0))[1]
    assert "no clear difference (+0.010, " in area_sentences(*areas, Gain(0.01, 0.03))[1]


def test_it_is_said_where_the_verdict_fails_too():
    raw, gain = Area(0.5, 80, 60), Gain(0.0, 0.03)
    assert "cannot tell these groups apart" in area_sentences(raw, Area(0.52, 80, 60), gain)[-1]
    assert "misleads here" in area_sentences(raw, Area(0.2, 80, 60), gain)[-1]
    assert len(area_sentences(raw, Area(0.9, 80, 60), gain)) == 2


def test_an_operating_point_says_when_and_by_whom_it_was_saved():
    good = KnownImages(120, "a" * 64, Rate(1, 60))
    bad = KnownImages(100, "b" * 64, Rate(45, 50))
    time = "2026-11-30T01:33:00+00:00"
    point = OperatingPoint(0.02, "halves", COSTS, good, bad, time, "Ann", "0" * 16)
    assert point_sentence(point).startswith(
        "The operating point is a false-alarm rate of 2 %, saved on 2026-11-30 01:33 UTC by Ann, "
        "with 120 good and 100 bad images. 45 of 50 "
    )

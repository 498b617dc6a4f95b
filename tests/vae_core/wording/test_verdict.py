"""The verdict in words."""

import dataclasses

import pytest

from tests.vae_core.scoring.test_typicality import REFERENCE, judged
from vae_core.scoring.strata import Strata
from vae_core.scoring.typicality import Judgement, Verdict
from vae_core.settings.data_sets import find_dataset
from vae_core.wording.verdict import (
    class_condition,
    count_sentence,
    epoch_sentence,
    judgement_sentence,
    plain_sentence,
    share_of,
    tail_sentence,
    unknown_kind,
    value_with_unit,
)


def judgement(as_unusual: int, images: int = 200) -> Judgement:
    """The judgement of an image that so many held-out images are as unusual as."""
    return Judgement((1 + as_unusual) / (1 + images), {}, {}, {}, {}, images)


@pytest.mark.parametrize(
    ("as_unusual", "said"),
    [
        (56, "Looks like the training data: about 28 in 100 real images look stranger."),
        (14, "Unusual for the training data: only about 7 in 100 real images look stranger."),
        (
            2,
            "Does not look like the training data: only about 1 in 100 real images looks stranger.",
        ),
        (0, "Does not look like the training data: none of 200 real images looks stranger."),
    ],
)
def test_one_plain_sentence_says_how_many_real_images_look_stranger(as_unusual, said):
    assert plain_sentence(judgement(as_unusual)) == said


def test_a_share_below_one_in_a_hundred_is_not_called_none():
    assert plain_sentence(judgement(2, 1000)).endswith(
        "fewer than 1 in 100 real images look stranger."
    )


def test_a_batch_is_counted_by_verdict():
    counts: dict[Verdict, int] = {"typical": 1200, "unlike the training data": 2}
    assert count_sentence(counts) == "1,200 typical · 0 unusual · 2 unlike"


def test_a_foreign_batch_is_told_what_the_model_knows():
    digits = find_dataset("mnist")
    known = "This model knows handwritten digits only; "
    assert unknown_kind(digits, 0, 360) == f"{known}none of these look like that."
    assert unknown_kind(digits, 12, 360) == f"{known}only 12 of these 360 look like that."
    assert unknown_kind(digits, 1, 3) == f"{known}only 1 of these 3 looks like that."


def test_a_class_means_something_only_for_images_of_the_kind():
    assert class_condition(find_dataset("digits")) == "if it is a digit"


def test_the_sentence_names_the_figure_that_decided():
    said = judgement_sentence(judged(REFERENCE, regret=100.0, complexity_corrected=1.0))
    assert said.startswith("Unlike the training data")
    assert "likelihood regret of 100.0 nats" in said
    assert "higher than that of all 400 held-out images" in said
    low = judgement_sentence(judged(REFERENCE, log_px=-80.0))
    assert "log p(x) of −80.00 nats, lower than that of all 400" in low


def test_of_a_typical_image_nothing_stands_out():
    said = judgement_sentence(judged(REFERENCE))
    assert said.startswith("Typical: no figure stands out. The least usual is its ")


@pytest.mark.parametrize(
    ("share", "said"), [(50, "50% of 500"), (99.6, "more than 99% of 500"), (100, "all 500")]
)
def test_most_images_are_never_called_all(share, said):
    assert share_of(share, 500) == said


def test_small_values_keep_two_digits():
    said = [value_with_unit("latent_distance", value) for value in (12.34, 0.0123, 0.0)]
    assert said == ["12.3 σ", "0.012 σ", "0.0 σ"]


def test_the_tail_says_what_an_image_is_compared_with(calibration):
    strata = Strata.fitted(calibration.held_out.table, calibration.held_out.strata, 1)
    within = dataclasses.replace(calibration, strata=strata)
    assert "training images of the same class" in tail_sentence(within)
    assert tail_sentence(dataclasses.replace(calibration, strata=None)) == ""


def test_held_out_images_that_chose_the_epoch_are_named(calibration):
    assert "also chose the epoch" in epoch_sentence(calibration)
    apart = {**calibration.protocol, "chose_no_epoch": True}
    assert epoch_sentence(dataclasses.replace(calibration, protocol=apart)) == ""
    former = {k: v for k, v in calibration.protocol.items() if k != "chose_no_epoch"}
    assert "also chose the epoch" in epoch_sentence(
        dataclasses.replace(calibration, protocol=former)
    ), "those of earlier versions are the first validation images"

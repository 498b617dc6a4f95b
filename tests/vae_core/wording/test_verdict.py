"""The verdict in words."""

import pytest

from tests.vae_core.scoring.test_typicality import REFERENCE, judged
from vae_core.wording.verdict import judgement_sentence, share_of, value_with_unit


def test_the_sentence_names_the_figure_that_decided():
    said = judgement_sentence(judged(REFERENCE, regret=100.0, complexity_corrected=1.0))
    assert said.startswith("Unlike the training data")
    assert "likelihood regret of 100.0 nats" in said
    assert "higher than that of all 400 held-out images" in said
    low = judgement_sentence(judged(REFERENCE, log_px=-80.0))
    assert "log p(x) of −80.0 nats, lower than that of all 400" in low


def test_of_a_typical_image_nothing_stands_out():
    said = judgement_sentence(judged(REFERENCE))
    assert said.startswith("Typical: nothing stands out; least usual is its ")


@pytest.mark.parametrize(
    ("share", "said"), [(50, "50% of 500"), (99.6, "more than 99% of 500"), (100, "all 500")]
)
def test_most_images_are_never_called_all(share, said):
    assert share_of(share, 500) == said


def test_small_values_keep_two_digits():
    said = [value_with_unit("latent_distance", value) for value in (12.34, 0.0123, 0.0)]
    assert said == ["12.3 σ", "0.012 σ", "0.0 σ"]

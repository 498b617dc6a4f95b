"""Sentences about figures on a data set say what the figures are of, and what they are not."""

import math

from vae_core.settings.protocol import Protocol
from vae_core.wording.evaluation import evaluation_sentence, gap_sentence

GAP = {
    "dataset": "mnist", "split": "test", "binarisation": "dynamic", "images": 1000, "seed": 0,
    "log_px_by": "importance sampling", "importance_samples": 500, "proposal": "refined",
    "gap": 3.0, "approximation": 1.0, "approximation_se": 0.1, "amortisation": 2.0,
    "amortisation_se": 0.1, "log_px": -90.0, "share_reached": None,
}  # fmt: skip


def test_a_gap_to_an_estimate_says_that_it_is_at_least_so_large():
    text = gap_sentence(GAP, "bernoulli")
    assert "K = 500 from a q refined for each image" in text
    assert text.endswith("are at least as large as stated, apart from their errors")


def test_a_gap_to_exact_values_says_for_how_many_images_they_are_not():
    exact = GAP | {"log_px_by": "quadrature", "importance_samples": None, "proposal": None}
    assert "reach" not in gap_sentence(exact | {"share_reached": 1.0}, "bernoulli")
    missed = gap_sentence(exact | {"share_reached": 0.998}, "bernoulli")
    assert missed.endswith("did not reach its tolerance for 2 of the images")


def test_a_figure_of_a_part_says_which_part():
    part = Protocol("mnist", "test", images=1000)
    assert part.text() == "first 1,000 of 10,000 images of MNIST 28×28, test"
    whole = Protocol("mnist", "test", images=10_000)
    assert whole.text() == "10,000 images of MNIST 28×28, test"
    assert Protocol("elsewhere", "test", images=5).text() == "5 images of elsewhere, test"


EVALUATION = {
    "dataset": "mnist", "split": "test", "binarisation": "none", "images": 10_000, "seed": 0,
    "importance_samples": 200, "proposal": "encoder", "log_px": -500.0, "log_px_se": 1.0,
    "elbo": -505.0, "elbo_se": 1.0, "bits_per_dim": 0.92,
}  # fmt: skip


def test_bits_per_dimension_are_comparable_only_where_the_evaluation_says_so():
    eight_bits = EVALUATION | {"bits_per_dim_comparable": True}
    text = evaluation_sentence(eight_bits, "discretised-logistic")
    assert text.endswith(". 0.920 bits/dim, comparable with published tables")
    part = EVALUATION | {"bits_per_dim_comparable": False}
    assert evaluation_sentence(part, "discretised-logistic").endswith(". 0.920 bits/dim")
    assert "bits/dim" not in evaluation_sentence(EVALUATION, "bernoulli")
    assert "bits/dim" not in evaluation_sentence(EVALUATION, "gaussian")


def test_one_image_has_no_error_of_the_mean_and_the_sentence_says_so():
    one = EVALUATION | {"images": 1, "log_px_se": math.nan, "elbo_se": math.nan}
    text = evaluation_sentence(one, "bernoulli")
    assert text.startswith(
        "log p(x) = -500.00 nats (error not known), ELBO = -505.00 nats (error not known) "
    )

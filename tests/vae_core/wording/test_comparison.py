"""Sentences about models that are compared."""

import math

from vae_core.analysis.comparing import Mean, ranking
from vae_core.settings.config import explain
from vae_core.wording.comparison import figure_in_words, ranking_sentences, setting_in_words

NAMES = ("A", "B", "C", "D", "E", "F")


def test_many_models_that_are_not_told_apart_are_counted() -> None:
    verdict, _ = ranking_sentences(NAMES, ranking([Mean(-80.0, 1.0, 500)] * 6), "log_px")
    assert "A, B, C, D and 2 more do not differ by more than their errors" in verdict


def test_the_method_of_two_models_has_no_correction() -> None:
    found = ranking([Mean(-80.0, 0.1, 500), Mean(-90.0, 0.1, 500)])
    verdict, method = ranking_sentences(NAMES, found, "elbo")
    assert verdict == "A has the highest ELBO: 10.0 ± 0.1 nats above B, the next."
    assert method == (
        "A difference counts if its two-sided p-value is at most 5 %. Errors are √(se₁² + se₂²), "
        "because scores of single images are not at hand."
    )


def test_one_model_alone_has_no_sentence() -> None:
    assert ranking_sentences(NAMES, ranking([Mean(-80.0, 1.0, 500)]), "log_px") == []


def test_an_error_that_is_not_known_is_said_to_be_so() -> None:
    found = ranking([Mean(-80.0, math.nan, 1), Mean(-90.0, math.nan, 1)])
    assert "(error not known)" in ranking_sentences(NAMES, found, "log_px")[0]


def test_settings_are_written_as_forms_write_them() -> None:
    assert setting_in_words(explain("posterior"), "full") == "Full-covariance Gaussian"
    assert setting_in_words(explain("flow_steps"), None) == "–"
    assert setting_in_words(explain("learning_rate"), 2e-3) == "0.002"
    assert setting_in_words(explain("epochs"), 20_000) == "20,000"


def test_a_figure_without_a_value_is_a_dash_and_without_an_error_a_number() -> None:
    assert figure_in_words("kl", Mean(math.nan, math.nan, 5)) == "–"
    assert figure_in_words("kl", Mean(3.1415, math.nan, 5)) == "3.14"
    assert figure_in_words("elbo", Mean(-23.33, 0.25, 300)) == "−23.33 ± 0.25"

"""Numbers for reading: digits by the error, a minus sign, no negative zero."""

import math

import pytest

from vae_core.wording.numbers import error_or_not_known, estimate, number, typeset


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (-1.5, ".2f", "−1.50"),
        (1.5, "+.2f", "+1.50"),
        (-0.001, ".2f", "0.00"),
        (-0.0, "g", "0"),
        (-12345.6, ",.1f", "−12,345.6"),
        (-1e-5, "g", "−1e−05"),
        (-math.inf, ".2f", "−inf"),
        (-7, "d", "−7"),
    ],
)
def test_a_number_has_a_minus_sign_and_zero_has_none(value: float, spec: str, text: str) -> None:
    assert typeset(value, spec) == text


@pytest.mark.parametrize(
    ("value", "se", "text"),
    [
        (-87.31, 0.12, "−87.3 ± 0.1 nats"),
        (-87.31, 0.012, "−87.31 ± 0.01 nats"),
        (-87.31, 0.096, "−87.3 ± 0.1 nats"),
        (-1234.5, 12, "−1,234 ± 12 nats"),
        (-0.01, 0.2, "0.0 ± 0.2 nats"),
        (-87.31, None, "−87.31 nats"),
        (-87.31, math.nan, "−87.31 nats"),
        (0.0, None, "0 nats"),
        (12345.6, None, "12,346 nats"),
        (-math.inf, None, "−∞ nats"),
        (math.nan, 0.1, "not a number nats"),
    ],
)
def test_a_number_has_as_many_digits_as_its_error_warrants(
    value: float, se: float | None, text: str
) -> None:
    assert number(value, se) == text


def test_a_number_may_have_another_unit_or_none() -> None:
    assert number(1.25, 0.1, "bits/dim") == "1.2 ± 0.1 bits/dim"
    assert number(1.25, unit="") == "1.250"


def test_an_estimate_says_that_its_error_is_not_known() -> None:
    assert estimate(-87.31, 0.12) == "−87.3 ± 0.1 nats"
    assert estimate(-87.31, math.nan) == "−87.31 nats (error not known)"
    assert [error_or_not_known(se) for se in (0.123, math.nan)] == ["0.12", "not known"]

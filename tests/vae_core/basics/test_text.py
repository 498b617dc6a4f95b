"""Texts from elsewhere on a terminal and in a table."""

import logging

import pytest

from vae_core.basics.text import (
    PlainFormatter,
    as_sentence,
    printable,
    printable_lines,
    without_formula,
)


def test_control_characters_are_replaced():
    assert printable("a\x1b[31m\nb\u202e") == "a�[31m�b�"
    assert printable_lines("a\x1b\n\tb") == "a�\n\tb"
    assert printable("x" * 50, 10) == "x" * 9 + "…"


@pytest.mark.parametrize("text", ["It is so", "It is so.", "It is so..", " It is so. "])
def test_a_sentence_ends_with_one_full_stop(text):
    assert as_sentence(text) == "It is so."


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-x", "@a", "\uff1d1"])
def test_a_formula_is_made_a_text(text):
    assert without_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-1.5", "+2", "a=b", "", "-inf"])
def test_a_number_or_another_text_stays_as_it_is(text):
    assert without_formula(text) == text


def test_a_log_has_no_control_characters_of_names():
    record = logging.makeLogRecord({"msg": "The run %s", "args": ("\x1b[31mred",)})
    assert PlainFormatter().format(record) == "The run �[31mred"

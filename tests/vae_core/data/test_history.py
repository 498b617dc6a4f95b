"""The history of a data set is read from any ``dataset.json`` that the lists accept."""

from typing import Any

import pytest

from vae_core.data.history import history_of
from vae_core.settings.data_sets import Preparation
from vae_core.wording.own_data import preparation_sentence


def test_what_was_rejected_and_what_is_a_copy_is_read() -> None:
    found = history_of(
        {
            "source": "pets.zip (.zip archive, 3 entries)",
            "notes": ["1 image has no class."],
            "duplicates": {"copies": 4, "left_out": 1},
            "rejected": [{"file": "a.txt", "reason": "It is no image."}],
            "rejected_count": 5,
        }
    )
    assert found.source.startswith("pets.zip")
    assert found.notes == ["1 image has no class."]
    assert (found.copies, found.left_out, found.rejected_count) == (4, 1, 5)
    assert found.rejected == [("a.txt", "It is no image.")]


@pytest.mark.parametrize("value", [None, 7, "text", [1, None, {"file": 3}], {"copies": "many"}])
def test_what_is_of_another_type_is_left_empty(value: Any) -> None:
    keys = ("source", "split", "reasons", "notes", "duplicates", "rejected", "rejected_count")
    found = history_of(dict.fromkeys(keys, value))
    assert isinstance(found.source, str)
    assert found.copies == 0
    assert all(isinstance(each, str) for pair in found.rejected for each in pair)


def test_control_characters_are_replaced() -> None:
    assert history_of({"notes": ["a\x1b[2Jb"]}).notes == ["a�[2Jb"]


def test_the_sentence_names_the_fit_and_the_inversion() -> None:
    sentence = preparation_sentence(Preparation("photo", "pad", "yes"))
    assert "is padded" in sentence
    assert "Dark and light are swapped" in sentence
    assert "cut to its ink" in preparation_sentence(Preparation("ink"))

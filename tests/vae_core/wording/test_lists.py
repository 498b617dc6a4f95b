"""Lists inside a sentence."""

import pytest

from vae_core.wording.lists import listed, listed_in_bold


@pytest.mark.parametrize(
    ("parts", "text"),
    [(["A"], "A"), (["A", "B"], "A and B"), (["A", "B", "C"], "A, B and C")],
)
def test_the_last_part_is_joined_by_and(parts: list[str], text: str) -> None:
    assert listed(parts) == text
    assert listed(iter(parts)) == text


def test_names_in_bold_are_bold_one_by_one() -> None:
    assert listed_in_bold(["A"]) == "**A**"
    assert listed_in_bold(["A", "B", "C"]) == "**A**, **B** and **C**"

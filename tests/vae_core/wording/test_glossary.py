"""The glossary names every symbol once, in short sentences."""

import re

import pytest

from vae_core.basics.errors import UserError
from vae_core.wording.glossary import GLOSSARY, symbol


def test_every_meaning_is_one_to_four_short_sentences() -> None:
    for name, found in GLOSSARY.items():
        sentences = re.split(r"(?<=[.])\s+", found.meaning)
        assert found.meaning.endswith((".", ")")), name
        assert len(sentences) <= 4, name
        assert max(len(each.split()) for each in sentences) <= 25, name


def test_names_in_words_are_different() -> None:
    names = [found.name for found in GLOSSARY.values()]
    assert len(set(names)) == len(names)


def test_an_unknown_symbol_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="no symbol called 'wrong'"):
        symbol("wrong")

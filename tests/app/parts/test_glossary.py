"""Help texts link to the glossary."""

import pytest

from app.parts.glossary import address, see
from vae_core.basics.errors import UserError


def test_a_help_text_ends_with_links_to_the_symbols() -> None:
    assert see("elbo", "kl") == (
        " Glossary: [ELBO](theory?symbol=elbo) and [KL](theory?symbol=kl)."
    )


def test_no_help_text_can_link_to_a_symbol_that_does_not_exist() -> None:
    with pytest.raises(UserError, match="no symbol"):
        address("nothing")

"""The page for an address that is none of ours."""

import pytest

from app.shell.navigation import PAGES
from app.shell.unknown import _likeliest_first


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("latnt", "latent"), ("scores", "score"), ("Posteriors", "posterior"), ("clasify", "classify"),
     ("thoery", "theory"), ("gradient-lab", "gradients"), ("compare-runs", "compare")],
)  # fmt: skip
def test_the_page_that_was_meant_comes_first_and_none_is_missing(wrong: str, meant: str) -> None:
    found = _likeliest_first(wrong)
    assert found[0] == meant
    assert sorted(found) == sorted(PAGES)


def test_an_address_like_no_page_lists_them_in_their_order() -> None:
    assert _likeliest_first("qqqq") == list(PAGES)

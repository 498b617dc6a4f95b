"""QR codes of addresses."""

import pytest

from app.shell.talk import qr


def test_a_code_is_a_picture_without_scripts_and_links() -> None:
    picture = qr.svg("http://localhost:8501/latent?tab=Prior&x=<script>")
    assert picture is not None
    assert picture.startswith("<svg")
    assert "script" not in picture
    assert "href" not in picture


def test_a_code_is_black_on_white_with_a_quiet_zone_in_both_themes() -> None:
    picture = qr.svg("http://localhost:8501/") or ""
    assert "#000" in picture
    assert "#fff" in picture
    assert "stroke" in picture


@pytest.mark.parametrize(("length", "drawn"), [(100, True), (2000, True), (2001, False)])
def test_an_address_that_is_too_long_has_no_code(length: int, drawn: bool) -> None:
    address = "http://h/?a=".ljust(length, "x")
    assert (qr.svg(address) is not None) is drawn

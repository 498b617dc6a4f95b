"""What the app uses of Streamlit that is not documented still does what it is used for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from streamlit.testing.v1 import AppTest

import app.shell.errors  # noqa: F401  as every page does
from app.parts.text import PRIVACY


def test_uploads_never_pass_through_a_file() -> None:
    """The server's own parser would put what is over a megabyte into a temporary file."""
    assert "never written to disk" in PRIVACY
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    body += bytes(3_000_000) + b"\r\n--x--\r\n"

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def rolled() -> bool:
        headers = [(b"content-type", b"multipart/form-data; boundary=x")]
        async with Request({"type": "http", "headers": headers}, receive).form() as form:
            return form["f"].file._rolled  # type: ignore[union-attr]

    with ThreadPoolExecutor() as pool:  # a thread of its own, since this one may run a loop
        assert not pool.submit(asyncio.run, rolled()).result()


def broken_fragment() -> None:
    import streamlit as st

    from app.shell import errors

    @st.fragment
    def fragment() -> None:
        raise RuntimeError("a bug")

    with errors.guard():
        fragment()


def test_the_error_of_a_fragment_is_reported_once() -> None:
    page = AppTest.from_function(broken_fragment, default_timeout=60).run()
    assert len(page.exception) == 1  # by Streamlit
    assert not page.error  # and not by the page

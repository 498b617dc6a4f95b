"""What the app uses of Streamlit that is not documented still does what it is used for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.requests import Request
from streamlit.testing.v1 import AppTest

import app.shell.errors  # noqa: F401  as every page does
from app.parts.text import PRIVACY
from app.shell.streamlit_internals import settings_of_environment


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


def test_settings_of_the_environment_have_the_types_that_streamlit_wants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {
        "STREAMLIT_SERVER_ADDRESS": "0.0.0.0",
        "STREAMLIT_SERVER_BASE_URL_PATH": "lab",
        "STREAMLIT_SERVER_ENABLE_CORS": "false",
        "STREAMLIT_SERVER_MAX_UPLOAD_SIZE": "5",
        "STREAMLIT_SERVER_ALLOWED_HOSTS": "a.example b.example",
        "STREAMLIT_SERVER_COOKIE_SECRET": "read by Streamlit itself",
        "STREAMLIT_SERVER_HEADLESS": "",
    }
    for name, text in given.items():
        monkeypatch.setenv(name, text)
    found = settings_of_environment()
    assert found["server.address"] == "0.0.0.0"
    assert found["server.baseUrlPath"] == "lab"
    assert found["server.enableCORS"] is False
    assert found["server.maxUploadSize"] == 5
    assert found["server.allowedHosts"] == ("a.example", "b.example")
    assert not {"server.cookieSecret", "server.headless"} & set(found)

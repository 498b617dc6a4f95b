"""What the app uses of Streamlit that is not documented still does what it is used for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from streamlit.runtime import Runtime, media_file_manager
from streamlit.runtime.media_file_manager import MediaFileManager
from streamlit.runtime.media_file_storage import MediaFileStorageError
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec
from streamlit.testing.v1 import AppTest

import app.shell.errors  # noqa: F401  as every page does
from app.parts.text import PRIVACY
from app.shell import streamlit_internals
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


def upload(id: str, size: int) -> UploadedFileRec:
    return UploadedFileRec(id, f"{id}.png", "image/png", bytes(size))


def test_the_uploads_of_one_session_are_limited_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamlit_internals, "MOST_UPLOADED_BYTES", 100)
    files = MemoryUploadedFileManager("/upload")
    files.add_file("mine", upload("a", 60))
    files.add_file("mine", upload("a", 90))  # replaces the first
    with pytest.raises(HTTPException, match="Not all of your files were taken"):
        files.add_file("mine", upload("b", 11))
    files.add_file("another", upload("b", 60))
    assert [len(file.data) for file in files.get_files("mine", ["a", "b"])] == [90]


def test_the_uploads_of_one_session_are_limited_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamlit_internals, "MOST_UPLOADED_FILES", 2)
    files = MemoryUploadedFileManager("/upload")
    files.add_file("mine", upload("a", 1))
    files.add_file("mine", upload("b", 1))
    with pytest.raises(HTTPException, match="Not all of your files were taken"):
        files.add_file("mine", upload("c", 1))


def page_after_a_refusal() -> None:
    from app.shell import streamlit_internals
    from app.shell.streamlit_internals import session_id, take_refusal

    streamlit_internals._refused.add(session_id() or "")
    assert take_refusal()
    assert not take_refusal(), "it is said once"


def test_a_page_learns_that_a_file_of_its_session_was_refused() -> None:
    assert not AppTest.from_function(page_after_a_refusal, default_timeout=60).run().exception


def test_forgotten_files_leave_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    files = MemoryUploadedFileManager("/upload")
    for each in ("a", "b"):
        files.add_file("mine", upload(each, 10))
    server = SimpleNamespace(uploaded_file_mgr=files)
    monkeypatch.setattr(Runtime, "_instance", server)
    monkeypatch.setattr(streamlit_internals, "has_server", lambda: True)
    monkeypatch.setattr(streamlit_internals, "session_id", lambda: "mine")
    streamlit_internals.forget_uploads(["a", "a pasted image"])
    assert [file.file_id for file in files.get_files("mine", ["a", "b"])] == ["b"]


def test_a_download_works_for_a_while_after_its_button_was_drawn_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(streamlit_internals.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(media_file_manager, "_get_session_id", lambda: "ann")
    storage = MemoryMediaFileStorage("/media")
    files = MediaFileManager(storage)

    def draw(content: bytes) -> str:
        files.clear_session_refs("ann")
        name = files.add_deferred(lambda: content, "text/csv", "0.1", "scores.csv")
        files.remove_orphaned_files()
        return name

    def fetch(name: str) -> bytes:
        address = files.execute_deferred(name)
        draw(b"newest")
        draw(b"newest")  # the browser fetches the file a little later
        return storage.get_file(address.rsplit("/", 1)[-1]).content

    first, second = draw(b"before"), draw(b"after")
    assert (fetch(first), fetch(second)) == (b"before", b"after")
    newest = draw(b"newest")
    clock.now = streamlit_internals.KEPT_FILE + 1
    files.remove_orphaned_files()
    files.execute_deferred(newest)  # its button is still there
    with pytest.raises(MediaFileStorageError, match="not found"):
        files.execute_deferred(first)
    files.clear_session_refs("ann")
    for _ in range(4):
        files.remove_orphaned_files()
        clock.now *= 3
    assert not files._deferred_callables
    assert not files._file_metadata
    assert not storage._files_by_id
    assert not streamlit_internals._left_since

"""What a session used is given back when it ends, though nobody visits the app afterwards."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from app.shell import sessions
from app.shell.streamlit_internals import REFUSAL

ROOT = Path(__file__).resolve().parents[3]
MB = 2**20
needs_proc = pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc tells the memory")


class Server:
    """The app in a process of its own, as a browser meets it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        said = next(line for line in process.stdout if "is at" in line)
        self.host = said.split("http://")[1].strip()
        self._jar = CookieJar()
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        self._browser.open(f"http://{self.host}/_stcore/health", timeout=60).read()

    def memory(self) -> int:
        """Memory that the process occupies, in bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    @contextmanager
    def visit(self) -> Iterator[str]:
        """Open the page Start; yield the id of the session."""
        known: dict[str, Any] = {"subprotocols": ["streamlit"], "origin": f"http://{self.host}"}
        with connect(f"ws://{self.host}/_stcore/stream", max_size=None, **known) as browser:
            wish = BackMsg()
            wish.rerun_script.query_string = ""
            browser.send(wish.SerializeToString())
            message, session = ForwardMsg(), ""
            while message.WhichOneof("type") != "script_finished":
                message.ParseFromString(browser.recv(timeout=120))  # type: ignore[arg-type]
                session = message.new_session.initialize.session_id or session
            yield session

    def upload(self, session: str, name: str, size: int) -> None:
        """Give a file of random bytes, as the uploader of a page does; no widget asks for it."""
        head = f'--x\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'
        body = head.encode() + os.urandom(size) + b"\r\n--x--\r\n"
        token = next(each.value for each in self._jar if "xsrf" in each.name)
        headers = {
            "Content-Type": "multipart/form-data; boundary=x",
            "X-Xsrftoken": str(token).strip('"'),
        }
        address = f"http://{self.host}/_stcore/upload_file/{session}/{name}"
        request = urllib.request.Request(address, body, headers, method="PUT")
        self._browser.open(request, timeout=120).read()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    given = {
        "PYTHONPATH": str(ROOT),
        "VAE_RUNS_DIR": str(tmp_path),
        "STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        cwd=tmp_path, env=os.environ | given, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Server(process)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@needs_proc
@pytest.mark.slow
def test_uploads_are_given_back_when_their_session_has_ended(server: Server) -> None:
    with server.visit() as session:
        before = server.memory()
        for number in range(10):
            server.upload(session, f"file-{number}", 20 * MB)
        assert server.memory() > before + 190 * MB
    until = time.monotonic() + 60  # long, so that only what is never given back fails
    while server.memory() > before + 100 * MB and time.monotonic() < until:
        time.sleep(0.2)
    assert server.memory() < before + 100 * MB
    with pytest.raises(urllib.error.HTTPError, match="400"):  # the session is closed
        server.upload(session, "later", 1)


def test_only_what_ended_sessions_used_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[set[str]] = []
    monkeypatch.setattr(sessions, "_seen", {"a closed tab", "an open tab"})
    monkeypatch.setattr(sessions, "_at_end", [forgotten.append])
    monkeypatch.setattr(sessions, "close_lost_sessions", lambda: {"an open tab"})
    sessions.end_lost()
    sessions.end_lost()
    assert forgotten == [{"a closed tab"}]


def test_a_visitor_is_told_what_the_limit_of_uploads_is() -> None:
    assert "at most 400 MB and 10,000 files of one visitor" in REFUSAL

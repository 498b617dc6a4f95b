"""``python -m app``: from anywhere, on a free port, saying where."""

import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import __main__ as start
from vae_core.basics.errors import UserError

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_imported_in_advance_exists() -> None:
    assert all(importlib.util.find_spec(name) for name in start.NEEDED + start.NEEDED_LATER)


@contextmanager
def listening(port: int = 0) -> Iterator[int]:
    with socket.create_server(("localhost", port)) as server:
        yield server.getsockname()[1]


def test_folders_given_relative_to_where_it_was_started_stay_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAE_RUNS_DIR", "my-runs")
    monkeypatch.delenv("VAE_DATA_DIR", raising=False)
    start.change_to_root()
    assert Path.cwd() == ROOT
    assert os.environ["VAE_RUNS_DIR"] == str(tmp_path / "my-runs")
    assert "VAE_DATA_DIR" not in os.environ


def test_a_data_folder_that_does_not_exist_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VAE_DATA_DIR", "~/nowhere")
    start.change_to_root()
    assert f"VAE_DATA_DIR is {tmp_path / 'nowhere'}, which is not" in capsys.readouterr().err


def test_the_environment_opens_it_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMLIT_SERVER_ADDRESS", raising=False)
    assert "server.address" not in start.settings_for(9000)  # config.toml has the address
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("STREAMLIT_BROWSER_SERVER_ADDRESS", "host.example")
    monkeypatch.setenv("STREAMLIT_SERVER_PORT", "9100")
    settings = start.settings_for(9000)
    assert settings["server.port"] == 9000, "the option comes before the environment"
    assert settings["server.address"] == "0.0.0.0"
    assert settings["browser.serverAddress"] == "host.example"


def test_the_port_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app"])
    monkeypatch.setenv("STREAMLIT_SERVER_PORT", "9100")
    assert start._arguments().port == 9100


def test_a_variable_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "much")
    with pytest.raises(UserError, match=r"STREAMLIT_SERVER_MAX_UPLOAD_SIZE cannot be used: 'much'"):
        start.settings_for(9000)


def test_an_address_of_another_computer_is_refused_in_a_sentence() -> None:
    with pytest.raises(SystemExit, match=r"192.0.2.1, which is not an address of this computer"):
        start._port_near(8501, "192.0.2.1")


def test_the_last_ports_are_named_if_all_are_in_use() -> None:
    with listening(65_535), pytest.raises(SystemExit, match="from 65535 to 65535 can be used"):
        start._port_near(65_535, "localhost")


@pytest.mark.slow
def test_below_a_path_the_app_answers_at_the_address_it_prints(tmp_path: Path) -> None:
    given = {"PYTHONPATH": str(ROOT), "STREAMLIT_SERVER_BASE_URL_PATH": "/lab/"}
    with started([], tmp_path, given) as process:
        address = said_address(process)
        assert address.endswith("/lab")
        assert health(address) == b"ok"
        with urllib.request.urlopen(f"{address}/posterior_lab?d=2", timeout=20) as answer:
            assert answer.url == f"{address}/posterior?d=2"


@pytest.mark.slow
def test_behind_a_proxy_pages_of_the_address_that_browsers_open_are_taken(tmp_path: Path) -> None:
    """nginx passes its own name on as Host, and the browser sends the name that it opened."""
    given = {"PYTHONPATH": str(ROOT), "STREAMLIT_BROWSER_SERVER_ADDRESS": "lab.example"}
    with started([], tmp_path, given) as process:
        port = int(said_address(process).rsplit(":", 1)[1].split("/")[0])
        health(f"http://localhost:{port}")
        for host in ("localhost", "127.0.0.1", "lab.example"):
            request = urllib.request.Request(f"http://localhost:{port}", headers={"Host": host})
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert b"<html" in answer.read()
            assert websocket_status(port, host, "http://lab.example") == 101
        assert websocket_status(port, "localhost", "http://other.example") == 403


def websocket_status(port: int, host: str, origin: str) -> int:
    """Ask for the connection by which a page is drawn, as a proxy does; return the answer."""
    lines = (
        "GET /_stcore/stream HTTP/1.1", f"Host: {host}", f"Origin: {origin}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13", "", "",
    )  # fmt: skip
    with socket.create_connection(("localhost", port), timeout=20) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return int(connection.recv(100).split()[1])


@pytest.mark.slow
def test_it_starts_from_any_folder_and_prints_the_address_it_answers_at(tmp_path: Path) -> None:
    with (
        listening() as busy,
        started(["--port", str(busy)], tmp_path, {"PYTHONPATH": str(ROOT)}) as process,
    ):
        address = said_address(process)
        assert f":{busy}" not in address
        assert health(address) == b"ok"


@contextmanager
def started(
    options: list[str], folder: Path, given: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *options],
        cwd=folder, env=os.environ | given, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


def said_address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://\S+", line):
            return found[0]
    raise AssertionError("it ended without saying where it is")


def health(address: str, seconds: float = 20) -> bytes:
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                return answer.read()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)

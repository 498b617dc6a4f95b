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

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_imported_in_advance_exists() -> None:
    assert all(importlib.util.find_spec(name) for name in start.NEEDED + start.NEEDED_LATER)


@contextmanager
def listening(port: int = 0) -> Iterator[int]:
    with socket.create_server(("localhost", port)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_is_passed_over() -> None:
    with listening() as busy:
        found = start.free_port(busy)
    assert found is not None
    assert busy < found < busy + start.TRIES


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


def test_the_environment_opens_it_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in start.FROM_ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    assert start.settings_for(9000) == {"server.port": 9000}  # config.toml has the address
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("STREAMLIT_BROWSER_SERVER_ADDRESS", "host.example")
    assert start.settings_for(9000) == {
        "server.port": 9000,
        "server.address": "0.0.0.0",
        "browser.serverAddress": "host.example",
    }


@pytest.mark.slow
def test_it_starts_from_any_folder_and_prints_the_address_it_answers_at(tmp_path: Path) -> None:
    with listening() as busy:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "--port", str(busy)],
            cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            address = said_address(process)
            assert f":{busy}" not in address
            assert health(address) == b"ok"
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

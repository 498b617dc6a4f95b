"""Ports that are free on every address that a browser may take for this computer."""

import argparse
import socket

import pytest

from app.shell import ports


def listener(host: str) -> socket.socket:
    try:
        return socket.create_server((host, 0), family=socket.getaddrinfo(host, 0)[0][0])
    except OSError:
        pytest.skip(f"this computer has no {host}")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0.0.0.0", "::"])
@pytest.mark.parametrize("address", ["localhost", "0.0.0.0"])
def test_a_port_in_use_is_passed_over(host: str, address: str) -> None:
    with listener(host) as server:
        busy = server.getsockname()[1]
        found = ports.free_port(busy, address)
    assert found is not None
    assert busy < found < busy + ports.TRIES


@pytest.mark.parametrize("text", ["70000", "65536", "0", "-5", "x", "8501.0", ""])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="must be 1 to 65,535, not "):
        ports.a_port(text)


def test_every_port_may_be_asked_for() -> None:
    assert [ports.a_port(text) for text in ("1", "8501", "65535")] == [1, 8501, 65_535]


@pytest.mark.parametrize(
    ("address", "base", "opened"),
    [
        ("localhost", "", "http://localhost:1"),
        ("0.0.0.0", "", "http://localhost:1"),
        ("::", "", "http://localhost:1"),
        ("::1", "", "http://[::1]:1"),
        ("127.0.0.2", "/lab/", "http://127.0.0.2:1/lab"),
        ("localhost", "/", "http://localhost:1"),
        ("unix:///tmp/lab.sock", "", "unix:///tmp/lab.sock"),
    ],
)
def test_the_address_to_open_is_where_the_server_listens(
    address: str, base: str, opened: str
) -> None:
    assert ports.opened_at(address, 1, base) == opened


def test_an_address_of_this_computer_is_known_from_others() -> None:
    assert ports.is_of_this_computer("localhost")
    assert ports.is_of_this_computer("0.0.0.0")
    assert ports.is_of_this_computer("unix:///tmp/lab.sock")
    assert not ports.is_of_this_computer("192.0.2.1")  # kept for examples: RFC 5737

"""Free ports of this computer, and the address that a browser opens."""

import argparse
import errno
import os
import socket

TRIES = 20
_HIGHEST = 65_535
_EVERY_ADDRESS = ("0.0.0.0", "::")
_SOCKET = "unix://"  # a Unix socket for a proxy, which Streamlit can listen on
_LOOPBACK = ("127.0.0.1", "::1")  # a browser may take either for "localhost"


def a_port(text: str) -> int:
    """The number of a port, of a text on the command line.

    Raises:
        argparse.ArgumentTypeError: if there is no such port.
    """
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 1 <= port <= _HIGHEST:
        raise argparse.ArgumentTypeError(f"must be 1 to {_HIGHEST:,}, not {text!r}")
    return port


def ports_from(first: int) -> range:
    """The ports to try: ``TRIES`` of them, or fewer at the end of all ports."""
    return range(first, min(first + TRIES, _HIGHEST + 1))


def free_port(first: int, address: str = "localhost") -> int | None:
    """Return the first port of :func:`ports_from` that no program uses; None if there is none.

    Args:
        address: what the server listens on.
    """
    local = address == "localhost" or address in _EVERY_ADDRESS
    hosts = [*_LOOPBACK, address] if local else [address]
    return next((p for p in ports_from(first) if all(_is_free(host, p) for host in hosts)), None)


def is_of_this_computer(address: str) -> bool:
    """Whether a server can listen on an address."""
    return address.startswith(_SOCKET) or _reason_against(address, 0) is None


def opened_at(address: str, port: int, base: str = "") -> str:
    """The address that a browser on this computer opens; the path of a Unix socket as it is.

    Args:
        address: what the server listens on.
        base: the path that the pages are under.
    """
    if address.startswith(_SOCKET):
        return address
    host = "localhost" if address in _EVERY_ADDRESS else address
    host = f"[{host}]" if ":" in host else host
    path = base.strip("/")
    return f"http://{host}:{port}/{path}" if path else f"http://{host}:{port}"


_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, socket.EAI_NONAME)


def _is_free(host: str, port: int) -> bool:
    """Whether no program uses a port of a host. A host that this computer lacks has all free."""
    return _reason_against(host, port) in (None, *_NOT_HERE)


def _reason_against(host: str, port: int) -> int | None:
    """The error number that the system gives for listening; None if it allows it."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as probe:
            # Except on Windows, this option only ignores connections that are closing.
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(place)
    except OSError as error:
        return error.errno
    return None

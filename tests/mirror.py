"""A mirror of data sets: a real HTTP server on this computer that can be told to misbehave."""

import dataclasses
import gzip
import hashlib
import math
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from vae_core.data.catalogue import BUILT_IN
from vae_core.data.download import RemoteFile, Source

CONTENT = np.random.RandomState(0).bytes(600_001)
FILE = RemoteFile("data.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Server(ThreadingHTTPServer):
    """A server of ``files`` by name. The other attributes say how it misbehaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {FILE.name: CONTENT}
        self.ranges = True
        self.wrong_ranges = False
        self.refuses_ranges = False
        self.lengths = True
        self.cuts: list[int] = []  # bytes after which each answer is cut off
        self.gate = threading.Event()  # no answer is sent before it is set
        self.gate.set()
        self.requests: list[str | None] = []  # Range header of each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors: a client that closes the connection is part of these tests."""


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append(asked)
        self.server.gate.wait()
        content = self.server.files.get(self.path.removeprefix("/"))
        if content is None:
            return self.send_error(404)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if asked and (self.server.refuses_ranges or start >= len(content)):
            return self.send_error(416)
        start = start if self.server.ranges else 0
        self.send_response(206 if start else 200)
        body = content[start:]
        if start:
            first = start + 7 if self.server.wrong_ranges else start
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if self.server.lengths:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cuts.pop(0)] if self.server.cuts else body)
        return None

    def log_message(self, format: str, *args: object) -> None:
        pass


def running() -> Iterator[Server]:
    """Run a server until the fixture that yields from this generator ends."""
    with Server() as it:
        thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield it
        it.shutdown()
        thread.join()


def publish(server: Server, name: str, patch: pytest.MonkeyPatch) -> None:
    """Put a data set of the MNIST family, all blank, on the server, as its only source."""
    files = []
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        for kind, size in (("images-idx3", (28, 28)), ("labels-idx1", ())):
            content = gzip.compress(_blank_idx(count, *size), 1)
            digest = hashlib.sha256(content).hexdigest()
            files.append(RemoteFile(f"{part}-{kind}-ubyte.gz", len(content), digest))
            server.files[files[-1].name] = content
    use_source(name, Source((server.url,), tuple(files)), patch)


def use_source(name: str, source: Source, patch: pytest.MonkeyPatch) -> None:
    """Replace the source of a data set's files."""
    patch.setitem(BUILT_IN, name, dataclasses.replace(BUILT_IN[name], source=source))


def source_of(name: str) -> Source:
    """Return the source of a data set's files."""
    source = BUILT_IN[name].source
    assert source is not None
    return source


def _blank_idx(*shape: int) -> bytes:
    return bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes() + bytes(math.prod(shape))

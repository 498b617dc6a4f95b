"""Simulated visitors of the app: sessions that talk to the server as browsers do.

A visitor opens the app, waits for the whole page, looks at it for a while and opens the next page.
So the server does all its work and sends all its data. Drawing is left out, because visitors draw
on their own computers.
"""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

LOOK = 5.0  # seconds for which a visitor looks at a page
_LARGEST = 2**28  # bytes of a message


class Visitors:
    """A number of sessions that browse at the same time.

    Attributes:
        pages: number of pages that the sessions have received.
        seconds: seconds that each page took, without the first page of each session.
    """

    def __init__(self, url: str, count: int, look: float = LOOK, scoring: bool = False) -> None:
        self.address = url.replace("http", "ws", 1) + "/_stcore/stream"
        self.count = count
        self.look = look
        self.scoring = scoring
        self.pages = 0
        self.seconds: list[float] = []

    async def browse(self, stopped: threading.Event) -> None:
        """Browse until another thread sets ``stopped``, or a session fails."""
        visits = [asyncio.ensure_future(self._visit(turn)) for turn in range(self.count)]
        while not stopped.is_set() and not any(each.done() for each in visits):
            await asyncio.wait(visits, timeout=0.1)
        for each in visits:
            each.cancel()
        for found in await asyncio.gather(*visits, return_exceptions=True):
            if isinstance(found, Exception):
                raise found

    async def _visit(self, turn: int) -> None:
        await asyncio.sleep(turn * self.look / self.count)  # visitors arrive one after another
        streamlit = [Subprotocol("streamlit")]
        async with connect(self.address, subprotocols=streamlit, max_size=_LARGEST) as socket:
            pages = await self._go(socket, "")
            for step in itertools.count():
                await asyncio.sleep(self.look)
                start = asyncio.get_running_loop().time()
                if self.scoring:  # the examples, by a K that nobody has asked for before
                    samples = 1000 + turn + self.count * step
                    await self._go(socket, pages["score"], f"K={samples}")
                else:
                    await self._go(socket, list(pages.values())[(turn + step) % len(pages)])
                self.seconds.append(asyncio.get_running_loop().time() - start)

    async def _go(self, socket: ClientConnection, page: str, query: str = "") -> dict[str, str]:
        """Request a page by its hash and receive all of it; return all pages' hashes by name."""
        request = BackMsg()
        request.rerun_script.page_script_hash = page
        request.rerun_script.query_string = query
        await socket.send(request.SerializeToString())
        pages: dict[str, str] = {}
        async for data in socket:
            assert isinstance(data, bytes)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "navigation":
                named = message.navigation.app_pages
                pages = {each.url_pathname: each.page_script_hash for each in named}
            if kind == "script_finished":
                break
        self.pages += 1
        return pages


@contextlib.contextmanager
def visitors(url: str, count: int, look: float = LOOK, scoring: bool = False) -> Iterator[Visitors]:
    """Let visitors browse during a ``with`` block, which starts when all have a page.

    Args:
        look: seconds for which a visitor looks at a page.
        scoring: whether they stay on the Score page, and let it score with another K each time.

    Raises:
        OSError, websockets.exceptions.WebSocketException: if the server refused one of them.
    """
    crowd, stopped = Visitors(url, count, look, scoring), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        browsing = pool.submit(asyncio.run, crowd.browse(stopped))
        try:
            while crowd.pages < count and not browsing.done():
                time.sleep(0.1)
            yield crowd
        finally:
            stopped.set()
            browsing.result()

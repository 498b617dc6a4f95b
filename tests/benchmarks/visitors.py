"""People who browse the app, without browsers: sessions that speak to the server as pages do.

Each opens the app, waits until its page is whole, looks at it for a while and goes to the next.
What they cost is the server's work and all that it sends, which is what a single machine shares
among its visitors; their own machines draw.
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

LOOK = 5.0  # seconds for which a page is looked at
_LARGEST = 2**28  # bytes of a message


class Visitors:
    """So many sessions that browse at once.

    Attributes:
        pages: how many pages they have got.
        seconds: that each of them took, the first of a session left out.
    """

    def __init__(self, url: str, count: int) -> None:
        self.address = url.replace("http", "ws", 1) + "/_stcore/stream"
        self.count = count
        self.pages = 0
        self.seconds: list[float] = []

    async def browse(self, stopped: threading.Event) -> None:
        """Until stopped by another thread, or turned away."""
        visits = [asyncio.ensure_future(self._visit(turn)) for turn in range(self.count)]
        while not stopped.is_set() and not any(each.done() for each in visits):
            await asyncio.wait(visits, timeout=0.1)
        for each in visits:
            each.cancel()
        for found in await asyncio.gather(*visits, return_exceptions=True):
            if isinstance(found, Exception):
                raise found

    async def _visit(self, turn: int) -> None:
        await asyncio.sleep(turn * LOOK / self.count)  # nobody comes at the same moment
        streamlit = [Subprotocol("streamlit")]
        async with connect(self.address, subprotocols=streamlit, max_size=_LARGEST) as socket:
            pages = await self._go(socket, "")
            for page in itertools.islice(itertools.cycle(pages), turn, None):
                await asyncio.sleep(LOOK)
                start = asyncio.get_running_loop().time()
                await self._go(socket, page)
                self.seconds.append(asyncio.get_running_loop().time() - start)

    async def _go(self, socket: ClientConnection, page: str) -> list[str]:
        """Ask for a page by its hash and take all of it; the hashes of all pages."""
        request = BackMsg()
        request.rerun_script.page_script_hash = page
        await socket.send(request.SerializeToString())
        pages: list[str] = []
        async for data in socket:
            assert isinstance(data, bytes)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "navigation":
                pages = [each.page_script_hash for each in message.navigation.app_pages]
            if kind == "script_finished":
                break
        self.pages += 1
        return pages


@contextlib.contextmanager
def visitors(url: str, count: int) -> Iterator[Visitors]:
    """Sessions that browse meanwhile, all of them there from the start.

    Raises:
        OSError, websockets.exceptions.WebSocketException: if one of them was turned away.
    """
    crowd, stopped = Visitors(url, count), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        browsing = pool.submit(asyncio.run, crowd.browse(stopped))
        try:
            while crowd.pages < count and not browsing.done():
                time.sleep(0.1)
            yield crowd
        finally:
            stopped.set()
            browsing.result()

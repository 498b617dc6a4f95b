"""A fragment that asks for its turn while its page is left does not blank the next page.

The messages are those of a browser, sent to a real server.
"""

import asyncio
from collections.abc import Iterator

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.browser.driving import App, running_app

ROUNDS = 3  # for each delay; where the second message meets the server is by chance
DELAYS = (0.0, 0.02, 0.1, 0.3)  # seconds from the request of the page to that of the fragment
QUIET = 1.0  # seconds without a message after which nothing more is expected
PATIENCE = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("switch")) as app:
        yield app


@pytest.mark.slow
def test_a_fragment_of_a_page_that_was_left_is_not_drawn(server: App) -> None:
    begun = asyncio.run(pages_begun(f"{server.url}/_stcore/stream".replace("http", "ws", 1)))
    assert len(begun) == ROUNDS * len(DELAYS)
    for next_page, hashes in begun:
        assert next_page in hashes, "the page that was asked for was not drawn"
        assert set(hashes[hashes.index(next_page) :]) == {next_page}


async def pages_begun(address: str) -> list[tuple[str, list[str]]]:
    """For each switch of page, the page asked for and those whose drawing began, in order."""
    streamlit = [Subprotocol("streamlit")]
    async with connect(address, subprotocols=streamlit, max_size=2**28) as socket:
        first = await drawn(socket, "", "")
        pages = next(
            [page.page_script_hash for page in each.navigation.app_pages]
            for each in first
            if each.WhichOneof("type") == "navigation"
        )
        left, asked, seen = pages[0], pages[-1], []  # Start has fragments; Theory is without work
        for delay in DELAYS * ROUNDS:
            messages = await drawn(socket, left, "")
            fragment = next(m.delta.fragment_id for m in messages if m.delta.fragment_id)
            await request(socket, asked, "")
            await asyncio.sleep(delay)
            await request(socket, left, fragment)
            seen.append((asked, list(begun_in(await quiet(socket)))))
    return seen


async def request(socket: ClientConnection, page: str, fragment: str) -> None:
    message = BackMsg()
    message.rerun_script.page_script_hash = page
    message.rerun_script.fragment_id = fragment
    await socket.send(message.SerializeToString())


async def drawn(socket: ClientConnection, page: str, fragment: str) -> list[ForwardMsg]:
    """Ask for a page and return the messages that draw it."""
    await request(socket, page, fragment)
    found: list[ForwardMsg] = []
    while not found or not finished(found[-1]):
        found.append(await received(socket, PATIENCE))
    return found


def finished(message: ForwardMsg) -> bool:
    done = ForwardMsg.ScriptFinishedStatus.FINISHED_SUCCESSFULLY
    return message.WhichOneof("type") == "script_finished" and message.script_finished == done


async def quiet(socket: ClientConnection) -> list[ForwardMsg]:
    """Return the messages until a page is drawn and no more come."""
    found: list[ForwardMsg] = []
    while True:
        try:
            found.append(await received(socket, QUIET))
        except TimeoutError:
            if any(map(finished, found)):
                return found


async def received(socket: ClientConnection, seconds: float) -> ForwardMsg:
    data = await asyncio.wait_for(socket.recv(), seconds)
    assert isinstance(data, bytes)
    return ForwardMsg.FromString(data)


def begun_in(messages: list[ForwardMsg]) -> Iterator[str]:
    for each in messages:
        if each.WhichOneof("type") == "new_session":
            yield each.new_session.page_script_hash

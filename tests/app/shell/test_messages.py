"""Messages to the browser reach it in an order that it can draw, also when a fragment ticks."""

from typing import Any

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest, local_script_runner
from streamlit.testing.v1.element_tree import parse_tree_from_messages

from app.shell import streamlit_internals


def page() -> None:
    """A page as Train is: what ticks lies between other elements and has a fragment inside."""
    import streamlit as st

    @st.fragment
    def inside() -> None:
        st.write("inside")

    @st.fragment
    def ticking() -> None:
        st.write("first")
        inside()
        st.write("last")

    st.write("before")
    ticking()
    st.write("after")


class Browser:
    """The places of a page as a browser keeps them: a tree in which none is left out."""

    def __init__(self) -> None:
        self.page: dict[int, Any] = {0: {}}

    def draw(self, message: ForwardMsg) -> None:
        *parents, last = message.metadata.delta_path
        block = self.page
        for each in parents:
            block = block[each]
        assert last <= len(block), "Bad delta path index"
        block.setdefault(last, {})


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[ForwardMsg]:
    """The messages that draw the page for the first time."""
    sent: list[ForwardMsg] = []

    def parse(found: list[ForwardMsg]) -> Any:
        sent[:] = found
        return parse_tree_from_messages(found)

    monkeypatch.setattr(local_script_runner, "parse_tree_from_messages", parse)
    assert not AppTest.from_function(page, default_timeout=60).run().exception
    return [each for each in sent if each.WhichOneof("type") == "delta"]


def test_a_tick_before_the_page_is_sent_leaves_out_no_place(messages: list[ForwardMsg]) -> None:
    ticking = next(each.delta.fragment_id for each in messages if each.delta.fragment_id)
    queue = streamlit_internals.ForwardMsgQueue()
    for each in messages:
        queue.enqueue(each)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=[ticking])
    browser = Browser()
    for each in queue.flush():
        browser.draw(each)
    assert len(browser.page[0]) == 3


def test_a_whole_redraw_drops_what_was_not_sent_yet(messages: list[ForwardMsg]) -> None:
    queue = ForwardMsgQueue()
    for each in messages:
        queue.enqueue(each)
    queue.clear(retain_lifecycle_msgs=True)
    assert not queue.flush()

"""The talk of a session: in its address, through reloads, and step by step."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import streamlit as st

from app.shell.talk import state, talks
from app.shell.talk.talks import Talk, step_of

TALK = Talk((step_of("start"), step_of("latent?tab=Prior"), step_of("theory")))


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of its own, with an empty address."""
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(st, "query_params", {})


def test_a_link_opens_its_talk_at_its_step() -> None:
    st.query_params.update({"talk": talks.packed(TALK), "talk_step": "2"})
    state.arrive()
    assert state.current() == TALK
    assert state.at() == 2
    assert state.following() == TALK.steps[2]


def test_a_talk_stays_in_the_address_on_every_page() -> None:
    state.arrive()
    state.keep(TALK)
    st.query_params.clear()  # as on a visit to another page
    state.arrive()
    assert st.query_params["talk"] == talks.packed(TALK)


def test_an_older_entry_of_the_history_does_not_bring_an_older_talk_back() -> None:
    st.query_params["talk"] = older = talks.packed(TALK)
    state.arrive()
    state.keep(TALK.without(0))
    st.query_params["talk"] = older
    state.arrive()
    assert state.current() == TALK.without(0)
    assert st.query_params["talk"] == talks.packed(TALK.without(0))


def test_a_talk_that_was_closed_leaves_the_address() -> None:
    st.query_params.update({"talk": talks.packed(TALK), "talk_step": "2", "tab": "Prior"})
    state.arrive()
    state.keep(Talk())
    assert st.query_params == {"tab": "Prior"}
    assert state.following() is None


@pytest.mark.parametrize("step", ["", "0", "4", "-1", "²", "1" * 5000, "x"])
def test_a_step_that_does_not_exist_is_ignored(step: str) -> None:
    st.query_params.update({"talk": talks.packed(TALK), "talk_step": step})
    state.arrive()
    assert state.at() == 0
    assert state.following() == TALK.steps[0]


def test_a_broken_link_says_so_once() -> None:
    st.query_params["talk"] = "broken"
    state.arrive()
    assert state.current() == Talk()
    assert "cannot be read" in state.take_refusal()
    assert not state.take_refusal()
    assert "talk" not in st.query_params


def test_the_last_step_has_none_after_it() -> None:
    st.query_params.update({"talk": talks.packed(TALK), "talk_step": "3"})
    state.arrive()
    assert state.following() is None
    state.keep(TALK.without(2))
    assert state.at() == 2


def test_a_talk_is_saved_as_it_is_in_a_thread_without_a_session() -> None:
    state.keep(TALK)
    write = state.writer()
    state.note(1, "new")
    with ThreadPoolExecutor() as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "session_state", {})  # as in such a thread
        assert talks.read(pool.submit(write).result().encode()) == TALK.noted(1, "new")


def test_an_order_is_given_once() -> None:
    state.keep(TALK)
    state.go(1, presenting=True)
    order = state.take_order()
    assert order is not None
    assert (order["to"], order["present"]) == (1, True)
    assert state.take_order() is None

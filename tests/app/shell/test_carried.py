"""Values of widgets go along to other pages."""

import pytest
import streamlit as st

from app.shell import carried


@pytest.fixture(autouse=True)
def session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session of its own, with an empty address."""
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(st, "query_params", {})
    carried.arrive("start")
    carried.keep("image", 7)


def test_the_next_page_has_the_value_of_the_last_one() -> None:
    carried.arrive("theory")
    assert st.session_state["image"] == 7


def test_a_value_in_the_address_comes_first() -> None:
    st.query_params["image"] = "3"
    carried.arrive("theory")
    assert "image" not in st.session_state


def test_a_value_that_is_changed_on_the_same_page_stays() -> None:
    st.session_state["image"] = 2
    carried.arrive("start")
    assert st.session_state["image"] == 2
